#pragma once
// What the L2TP tests share: repeatable randomness, a simulated link, vectors, short ways to make and drive
// things.

#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "base/text.hpp"
#include "base/time.hpp"
#include "l2tp/lac.hpp"
#include "l2tp/lns.hpp"
#include "l2tp/observer.hpp"

namespace sluice::l2tp::test {

using namespace std::chrono_literals;

class SeededRandom final : public RandomSource {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}
  void fill(MutableBytes out) override {
    for (auto& byte : out) byte = static_cast<std::uint8_t>(engine_());
  }
  bool chance(unsigned permille) { return engine_() % 1000 < permille; }
  std::uint64_t below(std::uint64_t limit) { return engine_() % limit; }

 private:
  std::mt19937_64 engine_;
};

/// A link between two ends, 0 and 1, that loses, delays, reorders and duplicates.
class SimNet {
 public:
  SimNet(std::uint64_t seed, unsigned loss_permille)
      : random_(seed), loss_(loss_permille), duplicate_(loss_permille / 2) {}

  void send(int to, ByteVector packet, Instant now) {
    const unsigned copies = random_.chance(duplicate_) ? 2 : 1;
    for (unsigned i = 0; i < copies; ++i) {
      if (random_.chance(loss_)) continue;
      // A clean link delivers in order; a lossy one within 5 to 120 ms, so packets overtake each other.
      const Duration delay = loss_ == 0 ? Duration(10ms) : Duration(5ms + random_.below(115) * 1ms);
      flying_.emplace(now + delay, std::pair{to, packet});
    }
  }
  std::optional<Instant> next() const {
    if (flying_.empty()) return std::nullopt;
    return flying_.begin()->first;
  }
  std::optional<std::pair<int, ByteVector>> pop(Instant now) {
    if (flying_.empty() || flying_.begin()->first > now) return std::nullopt;
    auto out = std::move(flying_.begin()->second);
    flying_.erase(flying_.begin());
    return out;
  }

 private:
  SeededRandom random_;
  unsigned loss_, duplicate_;
  std::multimap<Instant, std::pair<int, ByteVector>> flying_;
};

/// All events of a kind drained from a tunnel so far.
struct Events {
  std::vector<Event> all;
  void drain(Tunnel& tunnel) {
    while (auto event = tunnel.poll_event()) all.push_back(std::move(*event));
  }
  template <class T>
  const T* last() const {
    const T* found = nullptr;
    for (const auto& event : all) {
      if (const auto* match = std::get_if<T>(&event)) found = match;
    }
    return found;
  }
  template <class T>
  std::size_t count() const {
    std::size_t n = 0;
    for (const auto& event : all) n += std::holds_alternative<T>(event) ? 1 : 0;
    return n;
  }
};

inline std::vector<ByteVector> drain(Tunnel& tunnel) {
  std::vector<ByteVector> out;
  while (auto packet = tunnel.poll_transmit()) out.push_back(std::move(*packet));
  return out;
}

inline MessageBuilder& add_sccrq(MessageBuilder& b, std::uint16_t tunnel = 77, std::uint16_t window = 4) {
  return b.u16(AvpType::kProtocolVersion, 0x0100)
      .u32(AvpType::kFramingCapabilities, 3)
      .text(AvpType::kHostName, "client")
      .u16(AvpType::kAssignedTunnelId, tunnel)
      .u16(AvpType::kReceiveWindowSize, window);
}

/// Reads one message of a packet that must be readable; `packet` must outlive the result.
inline std::pair<Header, Message> read(const ByteVector& packet, const Secret* secret = nullptr) {
  auto header = parse_header(packet);
  if (!header) throw std::runtime_error("unreadable header");
  auto message = parse_message(header->payload, secret);
  if (!message) throw std::runtime_error("unreadable message: " + std::string(to_string(message.error())));
  return {*header, std::move(*message)};
}

/// "SCCRQ" and so on, "ZLB" for an acknowledgement, "data".
inline std::string kind_of(const ByteVector& packet) {
  const auto words = describe_packet(packet);
  return words.substr(0, words.find(' '));
}

inline std::string vector_path(const std::string& name) {
  return std::string(SLUICE_VECTORS "/l2tp/") + name;
}

/// The rows of a "line<TAB>hex" file by line number.
inline std::map<int, ByteVector> read_hex_rows(const std::string& name) {
  std::ifstream in(vector_path(name));
  std::map<int, ByteVector> rows;
  for (std::string line; std::getline(in, line);) {
    const auto tab = line.find('\t');
    if (line.empty() || line[0] == '#' || tab == std::string::npos) continue;
    if (auto bytes = from_hex(line.substr(tab + 1))) rows[std::stoi(line.substr(0, tab))] = std::move(*bytes);
  }
  return rows;
}

/// Calls `run` with every truncation of `packet` and with every single bit of it flipped, each in a buffer of
/// its own exact size.
template <class Run>
void mutate(const ByteVector& packet, Run run) {
  for (std::size_t size = 0; size < packet.size(); ++size) {
    run(ByteVector(packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  for (std::size_t bit = 0; bit < packet.size() * 8; ++bit) {
    ByteVector flipped = packet;
    flipped[bit / 8] = static_cast<std::uint8_t>(flipped[bit / 8] ^ (1u << (bit % 8)));
    run(flipped);
  }
}

}  // namespace sluice::l2tp::test
