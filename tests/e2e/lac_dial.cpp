// Dials an L2TP server over UDP as a client: a tunnel, calls in it, and a clean end. For the scenarios with
// real servers. Each event is a line on standard output. Exit code 0: everything asked for came about and
// StopCCN was acknowledged.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>
#include <map>
#include <set>

#include "base/app/clock.hpp"
#include "base/app/system_random.hpp"
#include "base/app/unique_fd.hpp"
#include "base/text.hpp"
#include "l2tp/lac.hpp"

namespace {

using namespace sluice;
using namespace sluice::l2tp;
using namespace std::chrono_literals;

constexpr std::uint16_t kLcp = 0xc021;

struct Wish {
  std::string server, secret;
  std::size_t sessions = 1;
  bool demand_authentication = false;
  bool lcp = false;  ///< wait for the server's first LCP packet in each session
  int hellos = 0;    ///< stay until this many HELLOs of ours were acknowledged
  double patience = 20;
  bool trace = false;
};

app::UniqueFd connect_to(const std::string& server) {
  app::UniqueFd fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(1701);
  if (!fd || ::inet_pton(AF_INET, server.c_str(), &to.sin_addr) != 1 ||
      ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    throw std::runtime_error("no socket towards " + server + " port 1701");
  }
  return fd;
}

class Dial {
 public:
  explicit Dial(const Wish& wish)
      : wish_(wish),
        fd_(connect_to(wish.server)),
        lac_(config(wish), random_),
        deadline_(app::now() + patience()) {}

  int run() {
    lac_.connect(app::now());
    while (!over_) {
      follow();
      if (over_) break;
      if (app::now() > deadline_) {
        say("gave up: " + std::string(to_string(lac_.state())) + ", " + std::to_string(up_.size()) + " of " +
            std::to_string(wish_.sessions) + " sessions up");
        return 1;
      }
      wait();
    }
    return good_ ? 0 : 1;
  }

 private:
  static TunnelConfig config(const Wish& wish) {
    app::SystemRandom random;
    TunnelConfig out{.local_tunnel = TunnelId(static_cast<std::uint16_t>(random.u16() | 1)),
                     .host_name = "lac-dial"};
    out.demand_authentication = wish.demand_authentication;
    if (!wish.secret.empty()) out.secret = std::make_shared<const Secret>(Secret(wish.secret));
    if (wish.hellos > 0) out.hello_interval = 1s;
    return out;
  }
  Duration patience() const {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(wish_.patience));
  }

  void follow() {
    while (const auto event = lac_.poll_event()) take(*event);
    send();
    if (closing_) {
      if (lac_.control().idle()) {
        say("StopCCN acknowledged");
        good_ = over_ = true;
      } else if (lac_.finished()) {
        say("StopCCN was not acknowledged");
        over_ = true;
      }
    } else if (done()) {
      close();
    }
  }
  bool done() const {
    const bool up = seen_.size() == wish_.sessions && lac_.control().idle();
    return up && (!wish_.lcp || lcp_.size() == wish_.sessions) && hellos_ >= wish_.hellos;
  }
  void close() {
    closing_ = true;
    for (const auto id : up_) lac_.close_session(id, CallResult::kAdministrative, "hanging up", app::now());
    lac_.close_tunnel(StopResult::kShuttingDown, "done", app::now());
    say("closing");
    follow();
  }

  void take(const Event& event) {
    if (const auto* tunnel = std::get_if<TunnelUp>(&event)) {
      say("tunnel up: host " + escaped(tunnel->peer_host) + ", vendor " + escaped(tunnel->peer_vendor) +
          ", window " + std::to_string(tunnel->peer_window));
      for (std::size_t i = 0; i < wish_.sessions; ++i) lac_.open_session(app::now());
    } else if (const auto* up = std::get_if<SessionUp>(&event)) {
      say("session up: " + std::to_string(up->local.value()) + " and " + std::to_string(up->remote.value()));
      up_.insert(up->local);
      seen_.insert(up->local);
    } else if (const auto* down = std::get_if<SessionDown>(&event)) {
      up_.erase(down->local);
      if (closing_) return;
      say("session down: " + describe(down->cause));
      // A server may have no use for a call once it is up; one that never came up is a failure.
      if (!down->was_up) over_ = true;
    } else if (const auto* end = std::get_if<TunnelDown>(&event)) {
      if (closing_) return;
      say("tunnel down: " + describe(end->cause));
      over_ = true;
    }
  }

  void send() {
    while (const auto packet = lac_.poll_transmit()) {
      trace("> ", *packet);
      const bool hello = describe_packet(*packet).starts_with("HELLO");
      hello_under_way_ = hello_under_way_ || hello;
      // Nobody there yet shows as an error of a later call; the retransmission makes up for it.
      [[maybe_unused]] const auto sent = ::send(fd_.get(), packet->data(), packet->size(), 0);
    }
  }
  void receive() {
    std::array<std::uint8_t, 4096> buffer;
    const auto size = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (size <= 0) return;
    const Bytes packet = Bytes(buffer).first(static_cast<std::size_t>(size));
    trace("< ", packet);
    const auto got = lac_.on_datagram(packet, app::now());
    if (hello_under_way_ && lac_.control().idle()) {
      hello_under_way_ = false;
      say("HELLO acknowledged");
      ++hellos_;
    }
    if (got.is_data()) data(got);
  }
  void data(const Received& got) {
    const bool framed = got.ppp.size() >= 4 && load_be16(got.ppp.data()) == 0xff03;
    const auto protocol = got.ppp.subspan(framed ? 2 : 0);
    if (protocol.size() < 2 || load_be16(protocol.data()) != kLcp) return;
    if (lcp_.insert(got.session).second) say("LCP in session " + std::to_string(got.session.value()));
  }
  void wait() {
    const auto now = app::now();
    const auto next = std::min(lac_.next_timeout().value_or(deadline_), deadline_);
    const auto left =
        std::max<std::int64_t>(0, std::chrono::ceil<std::chrono::milliseconds>(next - now).count());
    pollfd readable{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (::poll(&readable, 1, static_cast<int>(left)) > 0) receive();
    const auto after = app::now();
    if (const auto at = lac_.next_timeout(); at && *at <= after) lac_.on_timeout(after);
  }
  void say(const std::string& line) { std::cout << line << std::endl; }
  void trace(const char* way, Bytes packet) {
    if (wish_.trace) say(way + describe_packet(packet));
  }

  Wish wish_;
  app::SystemRandom random_;
  app::UniqueFd fd_;
  LacTunnel lac_;
  Instant deadline_;
  std::set<SessionId> seen_, up_, lcp_;
  int hellos_ = 0;
  bool hello_under_way_ = false, closing_ = false, over_ = false, good_ = false;
};

}  // namespace

int main(int argc, char** argv) {
  Wish wish;
  CLI::App app{"Dials an L2TP server as a client and hangs up in order."};
  app.add_option("server", wish.server, "its IPv4 address")->required();
  app.add_option("--sessions", wish.sessions, "calls in the tunnel")->capture_default_str();
  app.add_option("--secret", wish.secret, "tunnel secret, to answer the server's Challenge");
  app.add_flag("--authenticate", wish.demand_authentication, "send a Challenge too");
  app.add_flag("--lcp", wish.lcp, "wait for LCP from the server in each session");
  app.add_option("--hellos", wish.hellos, "stay until so many HELLOs were acknowledged")
      ->capture_default_str();
  app.add_option("--patience", wish.patience, "seconds for all of it")->capture_default_str();
  app.add_flag("--trace", wish.trace, "show every packet");
  CLI11_PARSE(app, argc, argv);
  try {
    return Dial(wish).run();
  } catch (const std::exception& error) {
    std::cerr << "lac_dial: " << error.what() << "\n";
    return 1;
  }
}
