#include "proto/transport/tls_stream.hpp"

#include <botan/system_rng.h>
#include <botan/tls_callbacks.h>
#include <botan/tls_client.h>
#include <botan/tls_exceptn.h>
#include <botan/tls_extensions.h>
#include <botan/tls_server.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "base/text.hpp"
#include "proto/transport/asio_support.hpp"
#include "proto/transport/tls_policy.hpp"

namespace sluice::transport {
namespace {

namespace tls = Botan::TLS;
using net::ip::tcp;
using ErrorCode = boost::system::error_code;

constexpr auto kAwait = net::as_tuple(net::use_awaitable);
constexpr std::size_t kReadBuffer = 16 * 1024;
/// Nobody needs more for a handshake than this, certificates included.
constexpr std::size_t kMaxHandshakeBytes = 128 * 1024;
/// How long a peer may take to read our last words.
constexpr auto kLinger = std::chrono::seconds(2);
/// Of a connection for bulk: bytes the kernel holds unsent, and how long the peer may acknowledge nothing.
constexpr int kUnsent = 128 * 1024;

tls::Alert::Type alert_for(pki::ChainFault fault) {
  switch (fault) {
    case pki::ChainFault::kExpired:
      return tls::Alert::CERTIFICATE_EXPIRED;
    case pki::ChainFault::kRevoked:
      return tls::Alert::CERTIFICATE_REVOKED;
    case pki::ChainFault::kUntrusted:
      return tls::Alert::UNKNOWN_CA;
    case pki::ChainFault::kOther:
      break;
  }
  return tls::Alert::BAD_CERTIFICATE;
}

class BotanStream final : public TlsStream, public tls::Callbacks {
 public:
  BotanStream(tcp::socket socket, TlsIdentity identity, TlsOptions options, bool server)
      : identity_(std::move(identity)),
        options_(std::move(options)),
        credentials_(identity_),
        socket_(std::move(socket)),
        room_(socket_.get_executor()),
        timer_(socket_.get_executor()),
        server_(server) {
    ErrorCode ignored;
    remote_ = socket_.remote_endpoint(ignored);
    local_ = socket_.local_endpoint(ignored);
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.set_option(net::socket_base::keep_alive(true), ignored);
  }

  net::awaitable<std::optional<TlsError>> handshake();

  net::awaitable<Result<Bytes, TlsError>> read() override;
  bool send(Bytes bytes) override;
  net::awaitable<bool> write(Bytes bytes) override;
  std::size_t queued() const override { return out_.size() + in_flight_.size(); }
  void close() override;
  void abort() override;
  void expect_acknowledgement(std::chrono::milliseconds within) override;
  void tune_for_data() override;

  const PeerName& peer() const override { return peer_; }
  std::string protocol() const override { return channel_->application_protocol(); }
  std::optional<std::string> objection(const TlsIdentity& identity) const override;
  tcp::endpoint remote() const override { return remote_; }
  std::optional<TcpFigures> tcp_figures() const override;
  tcp::endpoint local() const override { return local_; }
  Secret export_key(std::string_view label, Bytes context, std::size_t length) const override;

 private:
  // What Botan calls from within received_data(), send() and close().
  void tls_emit_data(const std::uint8_t data[], std::size_t size) override {
    out_.insert(out_.end(), data, data + size);
  }
  void tls_record_received(std::uint64_t, const std::uint8_t data[], std::size_t size) override {
    plain_.insert(plain_.end(), data, data + size);
  }
  void tls_alert(tls::Alert alert) override;
  bool tls_session_established(const tls::Session& session) override;
  void tls_session_activated() override { active_ = true; }
  void tls_verify_cert_chain(const std::vector<Botan::X509_Certificate>& chain,
                             const std::vector<std::shared_ptr<const Botan::OCSP::Response>>&,
                             const std::vector<Botan::Certificate_Store*>&, Botan::Usage_Type,
                             const std::string&, const tls::Policy&) override;
  std::string tls_server_choose_app_protocol(const std::vector<std::string>& offered) override {
    const bool wanted = std::find(offered.begin(), offered.end(), options_.protocol) != offered.end();
    return wanted ? std::string(options_.protocol) : std::string();
  }
  void tls_inspect_handshake_msg(const tls::Handshake_Message&) override {
    spoke_tls_ = true;
    if (refusal_) refuse(*refusal_);
  }
  void tls_examine_extensions(const tls::Extensions& extensions, tls::Connection_Side) override;

  Role peer_role() const { return server_ ? Role::kAgent : Role::kEdge; }
  void make_channel();
  void feed(std::size_t size);
  void fail(TlsError error) {
    if (!error_) error_ = std::move(error);
  }
  struct Refusal {
    TlsFailure failure = TlsFailure::kCertificate;
    std::string text;
    tls::Alert::Type alert = tls::Alert::BAD_CERTIFICATE;
  };
  [[noreturn]] void refuse(const Refusal& refusal);
  /// Why the peer's certificate is not taken; sets `peer_` where it is.
  std::optional<Refusal> judge(const std::vector<Botan::X509_Certificate>& chain);
  void flush();
  void on_written(const ErrorCode& ec);
  void end_socket();
  TlsError network_error(const ErrorCode& ec) const;
  std::shared_ptr<BotanStream> self() { return std::static_pointer_cast<BotanStream>(shared_from_this()); }

  TlsIdentity identity_;
  TlsOptions options_;
  ChannelPolicy policy_;
  ChannelCredentials credentials_;
  tls::Session_Manager_Noop sessions_;
  tcp::socket socket_;
  tcp::endpoint remote_, local_;
  net::steady_timer room_;   ///< cancelled whenever the queue shrinks or the stream ends
  net::steady_timer timer_;  ///< of the handshake, then of the farewell
  bool server_;
  bool spoke_tls_ = false;
  bool active_ = false;
  bool closing_ = false;
  bool timed_out_ = false;
  std::optional<TlsError> error_;  ///< the first thing that went wrong; nothing is read after it
  std::optional<Refusal> refusal_;
  PeerName peer_;
  std::vector<Botan::X509_Certificate> peer_chain_;
  pki::TimePoint verified_at_{};
  ByteVector out_, in_flight_;
  ByteVector plain_, handed_out_;
  std::array<std::uint8_t, kReadBuffer> wire_{};
  std::unique_ptr<tls::Channel> channel_;  ///< last: it refers to what is above
};

void BotanStream::make_channel() {
  auto& rng = Botan::system_rng();
  if (server_) {
    channel_ = std::make_unique<tls::Server>(*this, sessions_, credentials_, policy_, rng);
  } else {
    std::vector<std::string> offered;
    if (!options_.protocol.empty()) offered.emplace_back(options_.protocol);
    channel_ =
        std::make_unique<tls::Client>(*this, sessions_, credentials_, policy_, rng, tls::Server_Information(),
                                      tls::Protocol_Version::TLS_V12, offered);
  }
}

net::awaitable<std::optional<TlsError>> BotanStream::handshake() {
  const auto keep = self();
  timer_.expires_after(options_.handshake_timeout);
  timer_.async_wait([weak = weak_from_this(), this](const ErrorCode& ec) {
    const auto alive = weak.lock();
    if (ec || !alive || active_) return;
    timed_out_ = true;
    end_socket();
  });
  try {
    make_channel();
  } catch (const std::exception& e) {
    fail({TlsFailure::kHandshake, e.what()});
  }
  flush();
  std::size_t taken = 0;
  while (!active_ && !error_) {
    const auto [ec, size] = co_await socket_.async_read_some(net::buffer(wire_), kAwait);
    if (ec) {
      fail(network_error(ec));
      break;
    }
    taken += size;
    if (taken > kMaxHandshakeBytes && !active_)
      fail({TlsFailure::kHandshake, "too many bytes without a handshake"});
    feed(size);
    // Whoever does not speak TLS learns nothing from us, not even an alert.
    if (error_ && !spoke_tls_ && server_) out_.clear();
    flush();
  }
  timer_.cancel();
  if (error_) {
    close();
    co_return error_;
  }
  co_return std::nullopt;
}

TlsError BotanStream::network_error(const ErrorCode& ec) const {
  if (timed_out_) return {TlsFailure::kTimeout, "the TLS handshake took too long"};
  if (closing_) return {TlsFailure::kClosed, "closed by us"};
  if (ec == net::error::eof) return {TlsFailure::kTruncated, "the stream ended without close_notify"};
  if (ec == net::error::timed_out) return {TlsFailure::kTimeout, "the peer acknowledges nothing"};
  return {TlsFailure::kNetwork, ec.message()};
}

void BotanStream::feed(std::size_t size) {
  try {
    channel_->received_data(wire_.data(), size);
  } catch (const std::exception& e) {
    if (active_) {
      fail({TlsFailure::kProtocol, e.what()});
    } else {
      fail({spoke_tls_ ? TlsFailure::kHandshake : TlsFailure::kNotTls, e.what()});
    }
  }
}

void BotanStream::tls_alert(tls::Alert alert) {
  if (alert.type() == tls::Alert::CLOSE_NOTIFY) {
    fail({TlsFailure::kClosed, "closed by the peer"});
  } else if (alert.is_fatal()) {
    fail({active_ ? TlsFailure::kProtocol : TlsFailure::kRejected,
          "the peer's alert: " + alert.type_string()});
  }
}

void BotanStream::refuse(const Refusal& refusal) {
  fail({refusal.failure, refusal.text});
  throw tls::TLS_Exception(refusal.alert, refusal.text);
}

void BotanStream::tls_examine_extensions(const tls::Extensions& extensions, tls::Connection_Side) {
  // RFC 7627 §5.4, RFC 5705 §6: without it exported keys are not bound to this connection.
  if (!extensions.has<tls::Extended_Master_Secret>()) {
    refuse(
        {TlsFailure::kHandshake, "the peer lacks the extended master secret", tls::Alert::HANDSHAKE_FAILURE});
  }
}

void BotanStream::tls_verify_cert_chain(const std::vector<Botan::X509_Certificate>& chain,
                                        const std::vector<std::shared_ptr<const Botan::OCSP::Response>>&,
                                        const std::vector<Botan::Certificate_Store*>&, Botan::Usage_Type,
                                        const std::string&, const tls::Policy&) {
  refusal_ = judge(chain);
  // Botan's server makes bad_certificate of whatever is thrown from here, so that the agent would not learn
  // what is wrong with it. The client's Finished follows and is thrown at.
  if (refusal_ && !server_) refuse(*refusal_);
}

std::optional<BotanStream::Refusal> BotanStream::judge(const std::vector<Botan::X509_Certificate>& chain) {
  const auto bad = [](std::string text, tls::Alert::Type alert = tls::Alert::BAD_CERTIFICATE) {
    return Refusal{TlsFailure::kCertificate, std::move(text), alert};
  };
  if (chain.empty()) return bad("the peer has no certificate");
  const auto name = pki::read_peer_name(chain.front());
  verified_at_ = std::chrono::system_clock::now();
  if (const auto error = pki::verify_chain(chain, identity_.material().anchors, peer_role(), verified_at_)) {
    // Only what our CA signed is worth repeating.
    const bool ours = name && error->fault != pki::ChainFault::kUntrusted;
    return bad("the certificate of " + (ours ? name->name : "the peer") + " does not hold: " + error->text,
               alert_for(error->fault));
  }
  if (!name) return bad(name.error());
  const std::string whose = "the certificate of " + name->name;
  if (name->role != peer_role()) return bad(whose + " is for the role " + std::string(to_string(name->role)));
  if (const auto at = from_asio(remote_).address; !name->may_be_at(at))
    return bad(whose + " is for other addresses than " + at.to_string());
  if (options_.authorise && !options_.authorise(*name))
    return Refusal{TlsFailure::kNotAuthorised, name->name + " is not wanted here", tls::Alert::ACCESS_DENIED};
  peer_ = *name;
  peer_chain_ = chain;
  return std::nullopt;
}

std::optional<std::string> BotanStream::objection(const TlsIdentity& identity) const {
  if (&identity.material() == &identity_.material()) return std::nullopt;
  const auto error = pki::verify_chain(peer_chain_, identity.material().anchors, peer_role(), verified_at_);
  if (!error) return std::nullopt;
  return "the certificate of " + peer_.name + " no longer holds: " + error->text;
}

bool BotanStream::tls_session_established(const tls::Session& session) {
  // The client's empty certificate never reaches tls_verify_cert_chain().
  if (session.peer_certs().empty() || peer_.name.empty()) {
    refuse({TlsFailure::kCertificate, "the peer has no certificate", tls::Alert::BAD_CERTIFICATE});
  }
  return false;
}

net::awaitable<Result<Bytes, TlsError>> BotanStream::read() {
  const auto keep = self();
  while (plain_.empty()) {
    if (error_) co_return Failure{*error_};
    const auto [ec, size] = co_await socket_.async_read_some(net::buffer(wire_), kAwait);
    if (ec) {
      fail(network_error(ec));
      continue;
    }
    feed(size);
    flush();
    if (error_ && error_->failure != TlsFailure::kClosed) close();
  }
  handed_out_.swap(plain_);
  plain_.clear();
  co_return Bytes(handed_out_);
}

bool BotanStream::send(Bytes bytes) {
  if (!active_ || closing_ || error_ || !socket_.is_open()) return false;
  if (queued() + bytes.size() > options_.max_queued) return false;
  try {
    channel_->send(bytes.data(), bytes.size());
  } catch (const std::exception& e) {
    fail({TlsFailure::kProtocol, e.what()});
    return false;
  }
  flush();
  return true;
}

net::awaitable<bool> BotanStream::write(Bytes bytes) {
  const auto keep = self();
  while (!send(bytes)) {
    if (!active_ || closing_ || error_ || !socket_.is_open() || bytes.size() > options_.max_queued)
      co_return false;
    room_.expires_at(net::steady_timer::time_point::max());
    co_await room_.async_wait(kAwait);
  }
  co_return true;
}

void BotanStream::flush() {
  if (!in_flight_.empty() || !socket_.is_open()) return;
  if (out_.empty()) {
    if (closing_) end_socket();
    return;
  }
  in_flight_.swap(out_);
  net::async_write(socket_, net::buffer(in_flight_),
                   [keep = self()](const ErrorCode& ec, std::size_t) { keep->on_written(ec); });
}

void BotanStream::on_written(const ErrorCode& ec) {
  in_flight_.clear();
  room_.cancel();
  if (ec) {
    fail(network_error(ec));
    end_socket();
    return;
  }
  flush();
}

void BotanStream::close() {
  if (closing_) return;
  closing_ = true;
  try {
    if (channel_ && channel_->is_active() && !channel_->is_closed()) channel_->close();
  } catch (const std::exception&) {
    // The farewell is a courtesy.
  }
  timer_.expires_after(kLinger);
  timer_.async_wait([weak = weak_from_this(), this](const ErrorCode& ec) {
    if (const auto alive = weak.lock(); alive && !ec) end_socket();
  });
  flush();
}

void BotanStream::abort() {
  closing_ = true;
  end_socket();
}

void BotanStream::end_socket() {
  ErrorCode ignored;
  socket_.shutdown(tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  timer_.cancel();
  room_.cancel();
}

void BotanStream::expect_acknowledgement(std::chrono::milliseconds within) {
  const auto patience = static_cast<int>(within.count());
  // Where the kernel refuses, a dead peer is noticed later.
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
}

void BotanStream::tune_for_data() {
  const int unsent = kUnsent;
  // Where the kernel refuses, there is more delay.
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

std::optional<TcpFigures> BotanStream::tcp_figures() const {
  if (!socket_.is_open()) return std::nullopt;
  const int fd = const_cast<tcp::socket&>(socket_).native_handle();  // Asio's is not const
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  return TcpFigures{std::chrono::microseconds(info.tcpi_rtt), info.tcpi_total_retrans};
}

Secret BotanStream::export_key(std::string_view label, Bytes context, std::size_t length) const {
  try {
    const auto key = channel_->key_material_export(std::string(label), std::string(as_text(context)), length);
    return Secret(Bytes(key.begin(), key.size()));
  } catch (const std::exception&) {
    return {};
  }
}

net::awaitable<Result<TlsStream::Ptr, TlsError>> start(tcp::socket socket, TlsIdentity identity,
                                                       TlsOptions options, bool server) {
  auto stream =
      std::make_shared<BotanStream>(std::move(socket), std::move(identity), std::move(options), server);
  if (auto error = co_await stream->handshake()) co_return Failure{std::move(*error)};
  co_return TlsStream::Ptr(std::move(stream));
}

}  // namespace

std::string_view to_string(TlsFailure failure) {
  switch (failure) {
    case TlsFailure::kNotTls:
      return "not TLS";
    case TlsFailure::kHandshake:
      return "TLS handshake failed";
    case TlsFailure::kCertificate:
      return "bad certificate";
    case TlsFailure::kNotAuthorised:
      return "not authorised";
    case TlsFailure::kRejected:
      return "refused by the peer";
    case TlsFailure::kTimeout:
      return "timeout";
    case TlsFailure::kClosed:
      return "closed";
    case TlsFailure::kTruncated:
      return "truncated";
    case TlsFailure::kNetwork:
      return "network error";
    case TlsFailure::kProtocol:
      return "bad TLS record";
    case TlsFailure::kCount:
      break;
  }
  return "";
}

net::awaitable<Result<TlsStream::Ptr, TlsError>> TlsStream::accept(tcp::socket socket, TlsIdentity identity,
                                                                   TlsOptions options) {
  return start(std::move(socket), std::move(identity), std::move(options), true);
}

net::awaitable<Result<TlsStream::Ptr, TlsError>> TlsStream::connect(tcp::socket socket, TlsIdentity identity,
                                                                    TlsOptions options) {
  return start(std::move(socket), std::move(identity), std::move(options), false);
}

}  // namespace sluice::transport
