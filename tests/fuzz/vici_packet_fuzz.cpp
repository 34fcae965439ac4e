// link: sluice_vici_wire
// A stream of bytes, cut in two ways, to both sides of a connection.
#include <algorithm>
#include <cstdlib>

#include "vici/client_core.hpp"
#include "vici/server_core.hpp"

namespace {
using namespace sluice::vici;

/// What came out of a stream fed in steps of `step` bytes: how many packets, and whether it broke.
std::pair<std::size_t, bool> cut(sluice::Bytes bytes, std::size_t step) {
  PacketStream stream;
  std::size_t packets = 0;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    stream.feed(bytes.subspan(at, std::min(step, bytes.size() - at)));
    while (auto packet = stream.next()) {
      if (!*packet) return {packets, true};
      ++packets;
    }
  }
  return {packets, false};
}

void to_client(sluice::Bytes bytes) {
  using namespace std::chrono_literals;
  const sluice::Instant now{};
  ClientCore core("test");
  core.subscribe("log", 5s, now);
  core.request("list-sas", {}, 5s, now, "list-sa");
  core.request("version", {}, 1s, now);
  core.on_bytes(bytes, now);
  core.on_timeout(now + 2s);
  core.on_closed({});
  if (core.open_operations() != 0) std::abort();
  std::size_t done = 0;
  while (auto event = core.poll_event()) done += std::holds_alternative<OperationDone>(*event) ? 1 : 0;
  if (done != 3) std::abort();
}

void to_server(sluice::Bytes bytes) {
  ServerCore core([](std::string_view event) { return event == "log"; });
  core.on_bytes(bytes);
  bool answer = true;
  while (auto event = core.poll_event()) {
    const auto* asked = std::get_if<CommandAsked>(&*event);
    if (!asked) break;
    if (answer) {
      core.respond(asked->arguments);
    } else {
      core.respond_unknown();
    }
    answer = !answer;
    core.send_event("log", asked->arguments);
  }
  std::size_t sent = 0;
  const std::size_t queued = core.queued_bytes();
  while (auto packet = core.poll_transmit()) sent += packet->size();
  if (sent != queued) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const sluice::Bytes bytes(data, size);
  if (cut(bytes, std::max<std::size_t>(1, size)) != cut(bytes, 7)) std::abort();
  to_client(bytes);
  to_server(bytes);
  return 0;
}
