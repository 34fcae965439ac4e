#pragma once
// IkeProvider on strongSwan's charon: a private charon process with the sluice plugin in it.

#include <boost/asio/io_context.hpp>
#include <memory>

#include "edge/ike/config.hpp"
#include "edge/ike/provider.hpp"

namespace sluice::edge {

/// Owns charon: writes its settings, starts it or takes over the one that a provider before left, serves its
/// sa-feed, drives it over vici, starts it again when it dies. Everything runs on `io`'s one thread, and
/// every call into DataPlane and IkeEvents is made from there.
///
/// IkeSaId values stay unique over charon's restarts. SAs of a charon that died stay with the data plane
/// (traffic goes on) until their hard lifetime or until the edge removes them; ike_ready tells of the gap.
/// The two sockets are not ordered against each other: add_sa() with some IkeSaId may come before its
/// ike_up().
class CharonProvider final : public IkeProvider {
 public:
  /// `data_plane` and `events` outlive the provider.
  CharonProvider(boost::asio::io_context& io, IkeConfig config, DataPlane& data_plane, IkeEvents& events);
  ~CharonProvider() override;

  /// Makes the run directory and starts charon. Throws std::runtime_error, with what to do about it, when the
  /// run directory, charon or the plugin cannot be used.
  void start() override;
  std::optional<std::string> reload(IkeConfig config) override;
  /// Ends charon (SIGTERM, which tells the peers; SIGKILL after 2 s) and waits for it. Idempotent.
  void stop() override;
  void ike_receive(const Endpoint& local, const Endpoint& remote, bool marker, Bytes datagram) override;
  /// charon stays, for a provider of the same settings in the same run directory; it ends by itself after
  /// IkeConfig::linger. As stop() where the configuration does not keep it.
  void leave() override;
  void reserve(Spi outbound, const Endpoint& destination, std::uint64_t last) override;
  void seen(std::span<const SaSeen> sas) override;
  void terminate(IkeSaId ike_sa) override;
  void expired(Spi inbound, const Endpoint& local, bool hard) override;
  void moved(Spi inbound, const Endpoint& local, const Endpoint& old_remote,
             const Endpoint& new_remote) override;
  bool ready() const override;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace sluice::edge
