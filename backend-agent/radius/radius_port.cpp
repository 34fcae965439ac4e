#include "backend-agent/radius/radius_port.hpp"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <stdexcept>

#include "backend-agent/radius/endpoint.hpp"
#include "base/app/clock.hpp"
#include "base/app/log.hpp"

namespace sluice::agent {
namespace {

using app::LogField;
using boost::asio::ip::udp;

std::string cause_of(const radius::NoAnswer& none) {
  switch (none.why) {
    case radius::Unanswered::kTooLong:
      return "the request does not fit a RADIUS packet";
    case radius::Unanswered::kOverload:
      return "too many requests wait for an answer already";
    case radius::Unanswered::kTimeout:
      break;
  }
  if (none.refused)
    return "no server gave an answer to be trusted (" + std::string(to_string(*none.refused)) + ")";
  return "no server answers";
}

/// What an operator should look at.
std::string advice_for(std::optional<radius::ReplyDrop> refused) {
  if (!refused)
    return "nothing came back: is it running, does it know this agent as a client, is UDP let through?";
  switch (*refused) {
    case radius::ReplyDrop::kNoMessageAuthenticator:
      return "its replies carry no Message-Authenticator and are refused: make the server send it";
    case radius::ReplyDrop::kBadAuthenticator:
    case radius::ReplyDrop::kBadMessageAuthenticator:
      return "its replies prove another secret: compare secret_file with the server's";
    default:
      return "its replies make no sense";
  }
}

}  // namespace

RadiusPort::RadiusPort(boost::asio::io_context& io, std::string service, radius::ClientSettings settings,
                       RandomSource& random)
    : service_(std::move(service)), client_(std::move(settings), random), io_(io), timer_(io) {
  bool v4 = false, v6 = false;
  for (std::size_t i = 0; i < client_.servers(); ++i) (client_.endpoint(i).address.is_v6() ? v6 : v4) = true;
  if (v4) open(false);
  if (v6) open(true);
}

void RadiusPort::open(bool v6) {
  for (std::size_t i = 0; i < client_.sockets(); ++i) {
    auto socket = std::make_unique<Socket>(io_, i);
    boost::system::error_code error;
    socket->socket.open(v6 ? udp::v6() : udp::v4(), error);
    if (!error) socket->socket.bind({v6 ? udp::v6() : udp::v4(), 0}, error);
    if (error) throw std::runtime_error("no socket for RADIUS " + service_ + ": " + error.message());
    socket->socket.non_blocking(true);
    receive(*socket);
    (v6 ? v6_ : v4_).push_back(std::move(socket));
  }
}

void RadiusPort::receive(Socket& socket) {
  socket.socket.async_receive_from(boost::asio::buffer(socket.buffer), socket.from,
                                   [this, &socket](const boost::system::error_code& error, std::size_t size) {
                                     if (error == boost::asio::error::operation_aborted || stopped_) return;
                                     if (!error) {
                                       const auto from = from_asio(socket.from);
                                       client_.on_datagram(socket.index, from,
                                                           Bytes(socket.buffer).first(size), app::now());
                                       drive();
                                     }
                                     receive(socket);
                                   });
}

radius::Ticket RadiusPort::submit(radius::Draft draft, Done done, std::optional<std::size_t> only) {
  const Instant now = app::now();
  const radius::Ticket ticket = client_.submit(std::move(draft), now, only);
  waiting_.emplace(ticket, Waiting{std::move(done), now});
  if (!std::exchange(scheduled_, true)) {
    boost::asio::post(io_, [this] {
      scheduled_ = false;
      if (!stopped_) drive();
    });
  }
  return ticket;
}

void RadiusPort::cancel(radius::Ticket ticket) {
  client_.cancel(ticket, app::now());
  waiting_.erase(ticket);
}

void RadiusPort::drive() {
  send();
  take_events();
  send();
  const auto next = client_.next_timeout();
  if (!next || stopped_) return void(timer_.cancel());
  timer_.expires_after(std::max(*next - app::now(), Duration::zero()));
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || stopped_) return;
    client_.on_timeout(app::now());
    drive();
  });
}

void RadiusPort::send() {
  while (const auto out = client_.poll_transmit()) {
    auto& sockets = out->to.address.is_v6() ? v6_ : v4_;
    boost::system::error_code ignored;  // a lost request is sent again
    sockets[out->socket]->socket.send_to(boost::asio::buffer(out->bytes), to_asio(out->to), 0, ignored);
  }
}

void RadiusPort::take_events() {
  for (const auto& event : client_.take_events()) {
    if (const auto* state = std::get_if<radius::ServerState>(&event)) {
      tell(*state);
      continue;
    }
    const auto* answered = std::get_if<radius::Answered>(&event);
    const auto* none = std::get_if<radius::NoAnswer>(&event);
    const auto found = waiting_.find(answered != nullptr ? answered->ticket : none->ticket);
    if (found == waiting_.end()) continue;
    const auto [done, since] = std::move(found->second);
    waiting_.erase(found);
    const Duration took = app::now() - since;
    typical_ = typical_ == Duration::zero() ? took : (typical_ * 7 + took) / 8;
    RadiusAnswer answer;
    if (answered != nullptr) {
      answer.server = answered->server;
      answer.packet = *radius::Packet::parse(answered->packet);
      figures_.answered(answer.packet->code(), took);
    } else {
      answer.cause = cause_of(*none);
      figures_.unanswered(none->why);
    }
    done(answer);
  }
}

void RadiusPort::tell(const radius::ServerState& state) {
  const LogField server("server", server_name(state.server)), service("service", service_);
  if (state.alive)
    return app::log_info("radius.server-back", "RADIUS server answers again", {server, service});
  app::log_warning(
      "radius.server-silent", "RADIUS server does not answer",
      {server, service, LogField("cause", state.refused ? std::string(to_string(*state.refused)) : "silent"),
       LogField("text", advice_for(state.refused))});
}

void RadiusPort::stop() {
  stopped_ = true;
  timer_.cancel();
  for (auto* sockets : {&v4_, &v6_}) {
    boost::system::error_code ignored;
    for (const auto& socket : *sockets) socket->socket.close(ignored);
  }
}

}  // namespace sluice::agent
