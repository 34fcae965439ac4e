#pragma once
// What a session has to say, in order, until its owner asks for it.

#include <optional>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "ppp/frame.hpp"

namespace sluice::ppp {

/// First in, first out; holds no memory worth naming while empty, as ten thousand idle sessions must.
template <class T>
class Fifo {
 public:
  void push(T item) { items_.push_back(std::move(item)); }
  std::optional<T> pop() {
    if (head_ == items_.size()) return std::nullopt;
    std::optional<T> item(std::move(items_[head_++]));
    if (head_ == items_.size()) {
      items_ = std::vector<T>();
      head_ = 0;
    }
    return item;
  }
  bool empty() const { return head_ == items_.size(); }
  std::size_t size() const { return items_.size() - head_; }

 private:
  std::vector<T> items_;
  std::size_t head_ = 0;
};

/// Whole PPP frames to send. Control frames go uncompressed, which every receiver takes (RFC 1661 §6.5,
/// §6.6).
class Outbox {
 public:
  void send(Protocol protocol, Bytes packet) {
    ByteVector frame(kMaxHeader + packet.size());
    ByteWriter out(frame);
    write_header(out, protocol, false, false);
    out.bytes(packet);
    frames_.push(std::move(frame));
  }
  std::optional<ByteVector> pop() { return frames_.pop(); }
  bool empty() const { return frames_.empty(); }

 private:
  Fifo<ByteVector> frames_;
};

}  // namespace sluice::ppp
