#pragma once
// A radius::Client with sockets and a clock. Thread: control.

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backend-agent/radius/core/client.hpp"
#include "backend-agent/radius/radius_figures.hpp"

namespace sluice::agent {

/// How one request ended.
struct RadiusAnswer {
  std::optional<radius::Packet> packet;  ///< lives as long as the call; none: nobody answered
  std::size_t server = 0;
  std::string cause;  ///< why nobody answered, for the operator
};

class RadiusPort {
 public:
  using Done = std::function<void(const RadiusAnswer&)>;

  /// `service` is for the log: "authentication". Throws std::runtime_error when there is no socket.
  RadiusPort(boost::asio::io_context& io, std::string service, radius::ClientSettings settings,
             RandomSource& random);

  /// `done` is called once, never from within this call.
  radius::Ticket submit(radius::Draft draft, Done done, std::optional<std::size_t> only = std::nullopt);
  /// `done` is not called any more.
  void cancel(radius::Ticket ticket);
  /// Asks and listens no more.
  void stop();
  std::size_t pending() const { return waiting_.size(); }
  /// How long an answer takes, or giving up, lately; zero before the first.
  Duration typical() const { return typical_; }
  /// "10.0.0.5:1812".
  std::string server_name(std::size_t server) const { return client_.endpoint(server).to_string(); }
  const radius::Client& client() const { return client_; }
  const RadiusFigures& figures() const { return figures_; }

 private:
  struct Waiting {
    Done done;
    Instant since;
  };
  struct Socket {
    Socket(boost::asio::io_context& io, std::size_t place) : socket(io), index(place) {}
    boost::asio::ip::udp::socket socket;
    std::size_t index;
    boost::asio::ip::udp::endpoint from;
    std::array<std::uint8_t, radius::kMaxPacket> buffer;
  };
  void open(bool v6);
  void receive(Socket& socket);
  void drive();
  void send();
  void take_events();
  void tell(const radius::ServerState& state);

  std::string service_;
  radius::Client client_;
  boost::asio::io_context& io_;
  boost::asio::steady_timer timer_;
  std::vector<std::unique_ptr<Socket>> v4_, v6_;
  std::map<radius::Ticket, Waiting> waiting_;
  RadiusFigures figures_;
  Duration typical_{};
  bool scheduled_ = false;
  bool stopped_ = false;
};

}  // namespace sluice::agent
