#pragma once
// TLS over an Asio TCP socket with Botan 2: version 1.2, ECDHE with an AEAD, extended master secret (RFC
// 7627), certificates both ways, no resumption, no renegotiation. Until the peer is authenticated it gets
// nothing but TLS handshake messages, and whoever does not speak TLS gets nothing at all. Thread: the
// io_context's. One coroutine may read while another writes.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "base/time.hpp"
#include "proto/channel/data_keys.hpp"
#include "proto/transport/identity.hpp"

namespace sluice::transport {

namespace net = boost::asio;

enum class TlsFailure : std::uint8_t {
  kNotTls,         ///< what came is no TLS at all
  kHandshake,      ///< no common parameters, or a broken handshake
  kCertificate,    ///< the peer's certificate is missing, expired, from another CA or for another role
  kNotAuthorised,  ///< a good certificate whose name we do not want
  kRejected,       ///< the peer refused us: `text` has its alert
  kTimeout,        ///< of the handshake, or the peer acknowledged nothing: see expect_acknowledgement
  kClosed,         ///< the peer closed in order (close_notify)
  kTruncated,      ///< the stream ended without close_notify
  kNetwork,        ///< TCP failed
  kProtocol,       ///< a bad record after the handshake
  kCount,
};
std::string_view to_string(TlsFailure failure);
struct TlsError {
  TlsFailure failure = TlsFailure::kNetwork;
  std::string text;
};

struct TlsOptions {
  /// Asked once the certificate chain is good and has the role; false ends the handshake. Empty: any name.
  std::function<bool(const PeerName&)> authorise;
  /// What the connection is for (ALPN, RFC 7301), a constant: a client offers it if it is not empty, a
  /// server takes it and nothing else.
  std::string_view protocol;
  std::chrono::milliseconds handshake_timeout{5000};
  std::size_t max_queued = 2 * 1024 * 1024;  ///< bytes sealed and not yet taken by TCP
};

/// What the kernel knows of a connection.
struct TcpFigures {
  Duration rtt{};                 ///< smoothed
  std::uint64_t retransmits = 0;  ///< segments, since the connection began
};

class TlsStream : public std::enable_shared_from_this<TlsStream> {
 public:
  using Ptr = std::shared_ptr<TlsStream>;
  /// Does the handshake. Options and identity are copied; the socket is closed on failure.
  static net::awaitable<Result<Ptr, TlsError>> accept(net::ip::tcp::socket socket, TlsIdentity identity,
                                                      TlsOptions options);
  static net::awaitable<Result<Ptr, TlsError>> connect(net::ip::tcp::socket socket, TlsIdentity identity,
                                                       TlsOptions options);
  virtual ~TlsStream() = default;

  /// Some decrypted bytes, at least one. The view lives until the next read.
  virtual net::awaitable<Result<Bytes, TlsError>> read() = 0;
  /// Seals and queues; false when the queue would grow over max_queued, or the stream is closed.
  virtual bool send(Bytes bytes) = 0;
  /// Like send(), but waits for room. False once the stream is closed.
  virtual net::awaitable<bool> write(Bytes bytes) = 0;
  virtual std::size_t queued() const = 0;
  /// Sends what is queued and close_notify, then closes; a reader gets kClosed. May be called again.
  virtual void close() = 0;
  /// Closes at once.
  virtual void abort() = 0;

  /// From now on a peer whose machine leaves what was sent unacknowledged for that long is gone: a reader
  /// gets kTimeout.
  virtual void expect_acknowledgement(std::chrono::milliseconds within) = 0;
  /// For bulk: the kernel holds little that was not sent.
  virtual void tune_for_data() = 0;

  virtual const PeerName& peer() const = 0;
  virtual std::string protocol() const = 0;  ///< agreed on by ALPN; empty: none
  /// Why the peer's certificate, good when it connected, would be refused by `identity`: revoked since, or of
  /// a CA that is no longer believed. Its end alone is no reason while the stream stands.
  virtual std::optional<std::string> objection(const TlsIdentity& identity) const = 0;
  virtual net::ip::tcp::endpoint remote() const = 0;
  virtual net::ip::tcp::endpoint local() const = 0;
  /// Nothing once it is closed.
  virtual std::optional<TcpFigures> tcp_figures() const = 0;
  /// RFC 5705.
  virtual Secret export_key(std::string_view label, Bytes context, std::size_t length) const = 0;
};

}  // namespace sluice::transport
