#include "backend-agent/tun/tun_queue.hpp"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sluice::agent {
namespace {

constexpr std::size_t kMaxBunch = 65536;
constexpr std::size_t kMaxPieces = 128;

}  // namespace

struct TunQueue::Large {
  std::array<std::uint8_t, kMaxBunch + 4096> bytes;
  Segmenter segments;
};

TunQueue::TunQueue(TunPort port)
    : fd_(std::move(port.fd)), coalescer_(port.udp), large_(std::make_unique<Large>()) {}
TunQueue::~TunQueue() = default;

void TunQueue::put(MutableBytes ip) {
  if (coalescer_.full()) flush();
  coalescer_.add(ip);
}

void TunQueue::flush() {
  if (coalescer_.empty()) return;
  coalescer_.for_each_write([this](const Coalescer::Write& one) { write(one); });
  coalescer_.clear();
}

void TunQueue::write(const Coalescer::Write& one) {
  std::array<iovec, kMaxPieces> pieces;
  std::size_t count = 0;
  for (const Bytes piece : one.pieces) {
    pieces[count++] = {const_cast<std::uint8_t*>(piece.data()), piece.size()};
  }
  writes_.add();
  if (::writev(fd_.get(), pieces.data(), static_cast<int>(count)) < 0)
    drops_.add(TunDrop::kWriteFull, one.packets);
}

bool TunQueue::pending() const {
  return !large_->segments.done();
}

std::size_t TunQueue::read(MutableBytes slot) {
  while (true) {
    Segmenter& segments = large_->segments;
    while (!segments.done()) {
      const std::size_t size = segments.next_size();
      if (size <= slot.size()) return segments.next(slot), size;
      // All but the last are as large: the whole bunch is.
      segments = Segmenter();
      drops_.add(TunDrop::kTooLarge);
    }
    // A single packet lies where it is wanted; only what does not fit goes on behind.
    std::array<std::uint8_t, OffloadHeader::kSize> header;
    const std::size_t room = std::min(slot.size(), kMaxBunch);
    iovec pieces[] = {{header.data(), header.size()},
                      {slot.data(), room},
                      {large_->bytes.data() + room, large_->bytes.size() - room}};
    const auto got = ::readv(fd_.get(), pieces, 3);
    if (got <= 0) {
      if (got < 0 && errno != EAGAIN && errno != EINTR) drops_.add(TunDrop::kReadFailed);
      return 0;
    }
    reads_.add();
    const auto total = static_cast<std::size_t>(got);
    const auto told = OffloadHeader::parse(Bytes(header).first(std::min(total, header.size())));
    if (!told || total == header.size()) {
      drops_.add(TunDrop::kBadOffload);
      continue;
    }
    const std::size_t size = total - header.size();
    if (told->kind == OffloadHeader::Kind::kNone) {
      if (size > room) {
        drops_.add(TunDrop::kTooLarge);
      } else if (!finish_checksum(*told, slot.first(size))) {
        drops_.add(TunDrop::kBadOffload);
      } else {
        return size;
      }
      continue;
    }
    std::copy_n(slot.begin(), std::min(room, size), large_->bytes.begin());
    const auto made = Segmenter::make(*told, Bytes(large_->bytes).first(size));
    if (!made) {
      drops_.add(TunDrop::kBadOffload);
    } else {
      segments = *made;
    }
  }
}

}  // namespace sluice::agent
