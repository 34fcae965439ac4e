#include "edge/admin/operations_server.hpp"

#include <algorithm>
#include <chrono>

#include "edge/admin/arguments.hpp"
#include "edge/admin/session_filter.hpp"
#include "edge/admin/view_messages.hpp"

namespace sluice::edge {
namespace {

using vici::Message;
using Stream = vici::Server::Stream;
constexpr std::string_view kSessionUpdown = "session-updown";
constexpr std::string_view kBackendUpdown = "backend-updown";
constexpr std::string_view kNotice = "notice";

UnixSeconds now() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(since).count();
}

bool matches(const Message& arguments, std::string_view name, std::string_view value) {
  const auto wanted = arguments.value(name);
  return !wanted || *wanted == value;
}

/// The rows one by one as the client reads, then their number.
template <class View>
Stream stream_of(std::vector<View> rows, const std::string& partial) {
  Stream out;
  out.answer.add("success", true).add("count", rows.size());
  if (!partial.empty()) out.answer.add("partial", std::string_view(partial));
  auto left = std::make_shared<std::vector<View>>(std::move(rows));
  out.next = [left, at = std::size_t{0}]() mutable -> std::optional<Message> {
    if (at == left->size()) return std::nullopt;
    return to_message((*left)[at++]);
  };
  return out;
}

Stream refused(Message answer) {
  Stream out;
  out.answer = std::move(answer);
  return out;
}

}  // namespace

std::string_view name_of(NoticeLevel level) {
  switch (level) {
    case NoticeLevel::kInfo:
      return "info";
    case NoticeLevel::kWarning:
      return "warning";
    case NoticeLevel::kError:
      return "error";
  }
  return "unknown";
}

OperationsServer::OperationsServer(boost::asio::any_io_executor executor, vici::ServerOptions socket,
                                   const StateView& state)
    : state_(state), server_(std::move(executor), std::move(socket)) {
  for (const auto event : {kSessionUpdown, kBackendUpdown, kNotice})
    server_.declare_event(std::string(event));
  add_commands();
  add_lists();
}

std::optional<vici::Error> OperationsServer::start() {
  return server_.start();
}
void OperationsServer::stop() {
  server_.stop();
}

void OperationsServer::add_commands() {
  server_.command("version", [this](const Message&) { return to_message(state_.version()); });
  server_.command("stats", [this](const Message&) { return to_message(state_.stats(), now()); });
}

void OperationsServer::add_lists() {
  server_.stream_command("list-sessions", "list-session", [this](const Message& arguments) {
    if (auto bad = unknown_argument(arguments, {"correlation", "user", "agent", "peer", "client", "realm"})) {
      return refused(std::move(*bad));
    }
    auto rows = state_.sessions();
    std::erase_if(rows, [&](const SessionView& row) { return !session_fits(arguments, row); });
    return stream_of(std::move(rows), state_.partial());
  });
  server_.stream_command("list-tunnels", "list-tunnel", [this](const Message& arguments) {
    if (auto bad = unknown_argument(arguments, {"correlation", "agent", "peer", "client"})) {
      return refused(std::move(*bad));
    }
    auto rows = state_.tunnels();
    std::erase_if(rows, [&](const TunnelView& row) {
      return !(matches(arguments, "correlation", row.correlation_id) &&
               matches(arguments, "agent", row.agent) &&
               matches(arguments, "peer", std::to_string(row.peer.value())) &&
               matches(arguments, "client", row.client.address.to_string()));
    });
    return stream_of(std::move(rows), state_.partial());
  });
  server_.stream_command("list-backends", "list-backend", [this](const Message& arguments) {
    if (auto bad = unknown_argument(arguments, {"name"})) return refused(std::move(*bad));
    auto rows = state_.backends();
    std::erase_if(rows, [&](const BackendView& row) { return !matches(arguments, "name", row.name); });
    return stream_of(std::move(rows), state_.partial());
  });
  server_.stream_command("list-peers", "list-peer", [this](const Message& arguments) {
    if (auto bad = unknown_argument(arguments, {"correlation", "id", "identity", "remote"})) {
      return refused(std::move(*bad));
    }
    auto rows = state_.peers();
    std::erase_if(rows, [&](const PeerView& row) {
      return !(matches(arguments, "correlation", row.correlation_id) &&
               matches(arguments, "id", std::to_string(row.id.value())) &&
               matches(arguments, "identity", row.identity) &&
               matches(arguments, "remote", row.remote.address.to_string()));
    });
    return stream_of(std::move(rows), state_.partial());
  });
  server_.stream_command("list-drops", "list-drop", [this](const Message& arguments) {
    if (auto bad = unknown_argument(arguments, {"stage"})) return refused(std::move(*bad));
    auto rows = state_.drops();
    std::erase_if(rows, [&](const DropView& row) { return !matches(arguments, "stage", row.stage); });
    return stream_of(std::move(rows), state_.partial());
  });
}

void OperationsServer::on_probe(Probe probe) {
  server_.deferred_command(
      "probe-backend", [probe = std::move(probe)](const vici::Request& request, vici::Server::Reply reply) {
        if (auto bad = unknown_argument(request.arguments, {"name"})) return reply(std::move(*bad));
        const auto name = request.arguments.value("name");
        if (!name) {
          Message answer;
          answer.add("success", false).add("errmsg", "argument 'name' is missing: which backend?");
          return reply(std::move(answer));
        }
        probe(std::string(*name), [reply](const ProbeView& view) { reply(to_message(view)); });
      });
}

void OperationsServer::on_probe_ike(std::function<void(IkeProbeReply reply)> probe) {
  server_.deferred_command(
      "probe-ike", [probe = std::move(probe)](const vici::Request& request, vici::Server::Reply reply) {
        if (auto bad = unknown_argument(request.arguments, {})) return reply(std::move(*bad));
        probe([reply](const IkeProbeView& view) { reply(to_message(view)); });
      });
}

bool OperationsServer::wanted(std::string_view event) const {
  return server_.has_subscribers(std::string(event));
}

void OperationsServer::session_up(const SessionView& session) {
  if (!wanted(kSessionUpdown)) return;
  Message out;
  out.add("up", true).add_section("session", to_message(session));
  server_.raise(std::string(kSessionUpdown), out);
}

void OperationsServer::session_down(const SessionView& session, const std::string& cause,
                                    const std::string& text) {
  if (!wanted(kSessionUpdown)) return;
  Message out;
  out.add("up", false).add("cause", cause).add("text", text).add_section("session", to_message(session));
  server_.raise(std::string(kSessionUpdown), out);
}

void OperationsServer::backend_up(const BackendView& backend) {
  if (!wanted(kBackendUpdown)) return;
  Message out;
  out.add("up", true).add_section("backend", to_message(backend));
  server_.raise(std::string(kBackendUpdown), out);
}

void OperationsServer::backend_down(const BackendView& backend, const std::string& cause) {
  if (!wanted(kBackendUpdown)) return;
  Message out;
  out.add("up", false).add("cause", cause).add_section("backend", to_message(backend));
  server_.raise(std::string(kBackendUpdown), out);
}

void OperationsServer::notice(const Notice& notice) {
  if (!wanted(kNotice)) return;
  Message out;
  out.add("level", name_of(notice.level)).add("topic", notice.topic).add("time", now());
  if (!notice.correlation_id.empty()) out.add("correlation", notice.correlation_id);
  out.add("text", notice.text);
  server_.raise(std::string(kNotice), out);
}

}  // namespace sluice::edge
