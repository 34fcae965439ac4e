#pragma once
// Everything that judges, accounts for and remotely changes sessions, built from the configuration. Thread:
// control; password hashes are worked out on one thread of its own.

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "backend-agent/app/counted_authenticator.hpp"
#include "backend-agent/config/config.hpp"
#include "backend-agent/radius/accounting.hpp"
#include "backend-agent/radius/dynamic_port.hpp"
#include "backend-agent/radius/login_gate.hpp"
#include "backend-agent/radius/radius_authenticator.hpp"

namespace sluice::agent {

class Authentication {
 public:
  /// `ask_counters` as in AccountingContext. Throws std::runtime_error with what to do about it.
  Authentication(boost::asio::io_context& io, const Config& config, RandomSource& random,
                 std::function<void(SessionSerial)> ask_counters);
  ~Authentication();

  Authenticator& gate() { return *counted_; }
  // For metrics; null where there is none.
  const CountedAuthenticator& logins() const { return *counted_; }
  const LoginThrottle& throttle() const { return gate_->throttle(); }
  const RadiusPort* auth_port() const { return auth_port_.get(); }
  const RadiusPort* acct_port() const { return acct_port_.get(); }
  const Accounting* accounting() const { return accounting_.get(); }
  /// Null where nothing is accounted for.
  Accounting* accounting() { return accounting_.get(); }
  /// Opens the port for CoA and Disconnect, if one is configured.
  void listen(DynamicPort::Carry carry);
  void tick(Instant now);
  /// Says that no session is left; records under way still go out.
  void farewell();
  /// Requests that wait for an answer, and records that nobody has taken.
  std::size_t owed() const;
  void stop();

  /// How long RADIUS takes to answer a login, lately; zero: not known.
  Duration radius_time() const { return auth_port_ ? auth_port_->typical() : Duration::zero(); }

  /// Takes over what the configuration that it was made with now says of users, RADIUS servers and
  /// throttling; requests under way go on as they are. Throws like the constructor, and then nothing has
  /// changed.
  void reload(std::optional<Users> users, bool radius);
  bool has_users() const { return users_ != nullptr; }
  std::size_t users() const { return users_ ? users_->size() : 0; }
  std::unordered_set<std::uint32_t> fixed_addresses() const;
  std::vector<Prefix> fixed_prefixes() const;
  const std::string& session_prefix() const { return session_prefix_; }

 private:
  /// RADIUS servers that logins were asked of before a reload, until these are answered.
  struct Retired {
    std::unique_ptr<RadiusPort> auth_port, acct_port;
    std::unique_ptr<RadiusAuthenticator> radius;
    bool stopped = false;
  };

  UsersFile::Offload offload();
  void make_radius();
  void replace_radius();

  boost::asio::io_context& io_;
  const Config& config_;
  RandomSource& random_;
  std::string session_prefix_;
  std::size_t hashes_waiting_ = 0;
  std::unique_ptr<UsersFile> users_;
  std::unique_ptr<RadiusPort> auth_port_, acct_port_;
  std::unique_ptr<RadiusAuthenticator> radius_;
  std::vector<Retired> retired_;
  std::unique_ptr<Accounting> accounting_;
  std::unique_ptr<LoginGate> gate_;
  std::unique_ptr<CountedAuthenticator> counted_;
  std::unique_ptr<DynamicPort> dynamic_;
  std::function<void(SessionSerial)> ask_counters_;
  boost::asio::thread_pool hasher_{1};  ///< last: ends before what it works for
};

}  // namespace sluice::agent
