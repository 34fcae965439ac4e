#pragma once
// Drives one charon over vici: loads our connections and keys, follows what becomes of peers. Commands and
// events are on two connections, because a slow answer must not hold back events; control-log is never asked
// for (5.9.8 can deadlock over it). Thread: the event loop's.

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "edge/ike/config.hpp"
#include "edge/ike/provider.hpp"
#include "vici/client.hpp"

namespace sluice::edge {

/// What vici tells, in charon's own numbers.
class ViciEvents {
 public:
  virtual ~ViciEvents() = default;
  virtual void vici_ike_up(const IkePeer& peer) = 0;
  virtual void vici_ike_down(std::uint32_t uid) = 0;
  virtual void vici_ike_rekeyed(std::uint32_t old_uid, const IkePeer& peer) = 0;
  virtual void vici_child_up(std::uint32_t uid, Spi inbound, Spi outbound) = 0;
  virtual void vici_child_down(std::uint32_t uid, Spi inbound, Spi outbound) = 0;
  /// Everything is loaded; from here on peers can connect.
  virtual void vici_ready() = 0;
  virtual void vici_lost() = 0;
};

// Parsers of charon's messages, for tests too. They call `events` for each section that is ours and whole.
void dispatch_vici_event(const std::string& name, const vici::Message& message, ViciEvents& events);
void dispatch_list_sa(const vici::Message& message, ViciEvents& events);
/// One IKE SA's section; nothing without an id or with impossible addresses.
std::optional<IkePeer> parse_ike_sa(const vici::Message& section);

class ViciDriver {
 public:
  /// `events` outlives the driver.
  ViciDriver(boost::asio::io_context& io, std::string uri, std::shared_ptr<const IkeConfig> config,
             ViciEvents& events);
  ~ViciDriver();
  ViciDriver(const ViciDriver&) = delete;
  ViciDriver& operator=(const ViciDriver&) = delete;

  /// Connects and loads, again and again until stop(); charon may not be there yet.
  void start();
  void stop();
  /// Loads what is new or changed, unloads what is gone; no IKE SA ends.
  void reload(std::shared_ptr<const IkeConfig> config);
  bool ready() const;
  void terminate(std::uint32_t uid);

 private:
  struct Session;
  std::shared_ptr<Session> session_;
};

}  // namespace sluice::edge
