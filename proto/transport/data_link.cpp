#include "proto/transport/data_link.hpp"

#include "base/text.hpp"

namespace sluice::transport {
namespace {
constexpr auto kPatience = std::chrono::seconds(3);
}  // namespace

DataLink::DataLink(TlsStream::Ptr stream, std::optional<channel::StreamToken> token, Events events)
    : stream_(std::move(stream)),
      core_(token ? channel::DataStream(*token) : channel::DataStream()),
      events_(std::move(events)) {
  stream_->expect_acknowledgement(kPatience);
  stream_->tune_for_data();
}

net::awaitable<std::string> DataLink::run() {
  const auto keep = shared_from_this();
  flush();
  bool known = false;
  while (!closed_) {
    const auto got = co_await stream_->read();
    if (closed_) break;
    if (!got) {
      closed_ = true;
      co_return std::string(to_string(got.error().failure)) + ": " + escaped(got.error().text);
    }
    const auto records = core_.on_bytes(*got);
    if (!records) {
      stream_->abort();
      closed_ = true;
      co_return std::string(to_string(records.error()));
    }
    if (core_.token() && !std::exchange(known, true) && !events_.token(*core_.token())) {
      stream_->abort();
      closed_ = true;
      co_return "it is for no channel of this agent";
    }
    if (!records->empty()) events_.frames(*records);
    flush();
  }
  co_return "closed by us";
}

bool DataLink::send(Bytes records, std::size_t frames) {
  return !closed_ && core_.send(records, frames) && flush();
}

bool DataLink::flush() {
  const auto bytes = core_.poll_transmit();
  return bytes.empty() || stream_->send(bytes);
}

void DataLink::close() {
  if (std::exchange(closed_, true)) return;
  stream_->close();
}

}  // namespace sluice::transport
