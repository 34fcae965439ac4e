#pragma once
// The data carrier "tls" over its own TLS connection: joins a TlsStream and a channel::DataStream. Beside the
// control stream and not in it, so that control never waits behind data. Thread: the io_context's.

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string>

#include "proto/channel/data_stream.hpp"
#include "proto/transport/tls_stream.hpp"

namespace sluice::transport {

/// What a client says by ALPN (RFC 7301) when the connection is for data; none: it is for control.
inline constexpr std::string_view kDataProtocol = "sluice-data";

class DataLink : public std::enable_shared_from_this<DataLink> {
 public:
  using Ptr = std::shared_ptr<DataLink>;
  struct Events {
    /// Of the accepting end: is there such a channel? False ends the link.
    std::function<bool(const channel::StreamToken&)> token;
    /// Whole frame records, of one read.
    std::function<void(Bytes records)> frames;
  };

  /// The accepting end has no token of its own.
  DataLink(TlsStream::Ptr stream, std::optional<channel::StreamToken> token, Events events);

  /// Until the link is over; why it is, printable.
  net::awaitable<std::string> run();
  /// Whole records with that many frames; false: dropped and counted, for want of credit or of a connection.
  bool send(Bytes records, std::size_t frames);
  /// run() ends soon after; nothing is handed out any more.
  void close();
  const TlsStream& stream() const { return *stream_; }
  std::uint64_t dropped() const { return core_.counts().read(channel::StreamCount::kNoCredit); }

 private:
  bool flush();

  TlsStream::Ptr stream_;
  channel::DataStream core_;
  Events events_;
  bool closed_ = false;
};

}  // namespace sluice::transport
