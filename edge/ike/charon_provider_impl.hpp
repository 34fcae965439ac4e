#pragma once
// The inside of CharonProvider. Included by its own sources only.

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "edge/ike/charon_process.hpp"
#include "edge/ike/charon_provider.hpp"
#include "edge/ike/charon_settings.hpp"
#include "edge/ike/failures.hpp"
#include "edge/ike/feed_server.hpp"
#include "edge/ike/sa_book.hpp"
#include "edge/ike/vici_driver.hpp"

namespace sluice::edge {

struct CharonProvider::Impl final : feed::FeedHandler, ViciEvents, std::enable_shared_from_this<Impl> {
  Impl(boost::asio::io_context& context, IkeConfig settings, DataPlane& plane, IkeEvents& sink)
      : io(context),
        config(std::make_shared<const IkeConfig>(std::move(settings))),
        data_plane(plane),
        events(sink),
        restart_timer(context) {}

  // charon's life (charon_provider.cpp)
  void start();
  void stop();
  void end_process();
  std::optional<std::string> reload(IkeConfig settings);
  void prepare_run_dir();
  void write_settings(const char* name, std::string_view text) const;
  CharonProcess::Options process_options() const;
  bool adopt();
  void watch_process();
  void launch();
  void leave();
  void on_exit(const std::string& how);
  void relaunch_later();
  void on_line(const std::string& line);
  /// To a charon that somebody else runs.
  bool attached() const { return !config->attach.empty(); }
  void update_ready();

  // sa-feed (charon_feed.cpp)
  void feed_connected(const feed::Hello& hello) override;
  void feed_lost() override { update_ready(); }
  void feed_other_version() override;
  void feed_request(feed::Body& request, feed::Reply& reply) override;
  void feed_message(const feed::Body& message) override;
  void on_get_spi(const feed::GetSpi& request, feed::Reply& reply);
  void on_add_sa(feed::AddSa& request, feed::Reply& reply);
  void on_update_sa(const feed::UpdateSa& request, feed::Reply& reply);
  void on_query_sa(const feed::QuerySa& request, feed::Reply& reply);
  void on_del_sa(const feed::DelSa& request, feed::Reply& reply);
  void on_alert(const feed::Alert& alert);
  void on_adopted(const feed::Adopted& adopted);
  void on_reserved(const feed::Reserved& reserved);
  void on_restored(const feed::Restored& restored);
  void release_reservations();
  void reserve(Spi outbound, const Endpoint& destination, std::uint64_t last);

  // vici (charon_feed.cpp)
  void vici_ike_up(const IkePeer& peer) override;
  void vici_ike_down(std::uint32_t uid) override;
  void vici_ike_rekeyed(std::uint32_t old_uid, const IkePeer& peer) override;
  void vici_child_up(std::uint32_t uid, Spi inbound, Spi outbound) override;
  void vici_child_down(std::uint32_t uid, Spi inbound, Spi outbound) override;
  void vici_ready() override;
  void vici_lost() override;
  void replace(IkeSaId old_sa, const IkePeer& peer);

  boost::asio::io_context& io;
  std::shared_ptr<const IkeConfig> config;  // swapped whole by reload()
  DataPlane& data_plane;
  IkeEvents& events;

  CharonPaths paths;
  std::optional<Account> account;
  std::unique_ptr<feed::FeedServer> feed;
  std::unique_ptr<ViciDriver> vici;
  std::unique_ptr<CharonProcess> process;
  boost::asio::steady_timer restart_timer;
  Instant launched{};
  Duration backoff{};
  std::deque<std::string> last_lines;
  bool stopped = true;
  bool told_ready = false;

  std::optional<std::uint64_t> charon_boot;
  IkeSaNumbers numbers;
  SaDirections directions;
  Children children;
  FailureBook failures;
  bool vici_started = false;
  std::map<std::pair<Spi, Endpoint>, std::uint64_t> asked;  // reservations that charon has not confirmed
  std::map<IkeSaId, IkePeer> peers;                         // IKE SAs told to the edge
  std::map<IkeSaId, IkeSaId> adopted;                       // new to old, until the new one is up
  std::set<IkeSaId> seen;                                   // while vici lists what there is
};

}  // namespace sluice::edge
