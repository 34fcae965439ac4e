#pragma once
// Handshakes that strangers have begun: the id that their first IKE packet gave them, and how much they have
// asked. No I/O; bounded memory; thread: control.

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/bytes.hpp"
#include "base/counters.hpp"
#include "base/ip.hpp"
#include "base/random.hpp"

namespace sluice::edge {

class Contacts {
 public:
  /// The oldest is forgotten beyond this many.
  static constexpr std::size_t kMax = 16384;
  static constexpr std::size_t kIdBytes = 6;

  /// `known` gives the id of a peer at this place, empty where there is none: its next handshake is no
  /// stranger's.
  using Known = std::function<std::string(const Endpoint& remote)>;
  Contacts(RandomSource& random, Known known) : random_(random), known_(std::move(known)) {}

  /// An IKE message came in. `proven`: its sender receives our answers.
  void arrived(const Endpoint& remote, Bytes message, bool proven);

  struct Leave {
    bool allowed = true;
    std::uint64_t token = 0;  ///< who sends it back has received this answer; 0: nothing new
  };
  /// An IKE message is about to leave. An answer that is larger than what was asked is not allowed to whom
  /// has not shown that it receives answers: its question's source address may be a victim's.
  Leave leaves(const Endpoint& remote, Bytes message);

  /// The id of whoever last spoke IKE from there; empty where it is not known.
  std::string id_at(const Endpoint& remote) const;

  const Counter& too_large() const { return too_large_; }
  std::size_t size() const { return contacts_.size(); }

 private:
  struct Contact {
    std::string id;
    Endpoint first, remote;  ///< where it began, where it is
    std::size_t credit = 0;  ///< bytes asked and not answered yet
    bool proven = false;
  };
  Contact& contact(std::uint64_t initiator_spi, const Endpoint& remote);
  void forget_oldest();
  void unplace(const Endpoint& place, std::uint64_t initiator_spi);

  RandomSource& random_;
  Known known_;
  std::unordered_map<std::uint64_t, Contact> contacts_;   // by initiator SPI
  std::unordered_map<Endpoint, std::uint64_t> by_place_;  // the last one from there
  std::deque<std::uint64_t> order_;
  Counter too_large_;
};

}  // namespace sluice::edge
