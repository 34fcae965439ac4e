#include "backend-agent/radius/dynamic_port.hpp"

#include <boost/asio/buffer.hpp>
#include <chrono>
#include <stdexcept>

#include "backend-agent/radius/endpoint.hpp"
#include "base/app/clock.hpp"
#include "base/app/log.hpp"

namespace sluice::agent {
namespace {

using app::LogField;
using boost::asio::ip::udp;

/// A line about refused requests at most so often: anybody can send them.
constexpr auto kTellInterval = std::chrono::seconds(10);

}  // namespace

DynamicPort::DynamicPort(boost::asio::io_context& io, const Endpoint& listen,
                         radius::DynamicSettings settings, Carry carry)
    : server_(std::move(settings)), carry_(std::move(carry)), socket_(io) {
  boost::system::error_code error;
  socket_.open(listen.address.is_v6() ? udp::v6() : udp::v4(), error);
  if (!error) socket_.bind(to_asio(listen), error);
  if (error) {
    throw std::runtime_error("radius.dynamic_listen: cannot listen on " + listen.to_string() + ": " +
                             error.message());
  }
  socket_.non_blocking(true);
  receive();
}

void DynamicPort::receive() {
  socket_.async_receive_from(boost::asio::buffer(buffer_), from_,
                             [this](const boost::system::error_code& error, std::size_t size) {
                               if (error == boost::asio::error::operation_aborted) return;
                               if (!error) take(from_asio(from_), Bytes(buffer_).first(size));
                               receive();
                             });
}

void DynamicPort::take(const Endpoint& from, Bytes datagram) {
  const auto request = server_.on_datagram(from, datagram, app::now(), app::unix_now());
  if (request) {
    const auto cause = request->wrong != radius::ErrorCause::kNone ? request->wrong : carry_(*request);
    const auto level = cause == radius::ErrorCause::kNone ? app::LogLevel::kInfo : app::LogLevel::kWarning;
    const std::initializer_list<LogField> fields{LogField("by", from.to_string()),
                                                 LogField("session", request->session_id.value_or("")),
                                                 LogField("user", request->user.value_or("")),
                                                 LogField("error_cause", static_cast<std::uint32_t>(cause))};
    request->disconnect ? app::log(level, "radius.disconnect", "disconnect requested", fields)
                        : app::log(level, "radius.change", "change requested", fields);
    server_.answer(*request, cause, app::now());
  } else {
    tell_drops(from);
  }
  while (const auto out = server_.poll_transmit()) {
    boost::system::error_code ignored;  // the asker asks again
    socket_.send_to(boost::asio::buffer(out->bytes), to_asio(out->to), 0, ignored);
  }
}

void DynamicPort::tell_drops(const Endpoint& from) {
  const Instant now = app::now();
  if (told_at_ != Instant{} && now - told_at_ < kTellInterval) return;
  std::string reasons;
  for (std::size_t i = 0; i < CounterArray<radius::DynamicDrop>::kSize; ++i) {
    const auto reason = static_cast<radius::DynamicDrop>(i);
    const std::uint64_t count = server_.drops().read(reason);
    auto& before = told_[reason];
    if (reason != radius::DynamicDrop::kRepeated && count > before)
      reasons += (reasons.empty() ? "" : " ") + std::string(to_string(reason)) + ":" +
                 std::to_string(count - before);
    before = count;
  }
  if (reasons.empty()) return;
  told_at_ = now;
  app::log_warning("radius.dynamic-refused", "dynamic authorisation refused",
                   {LogField("by", from.to_string()), LogField("reasons", reasons)});
}

void DynamicPort::stop() {
  boost::system::error_code ignored;
  socket_.close(ignored);
}

}  // namespace sluice::agent
