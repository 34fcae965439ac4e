#include "esp/engine.hpp"

#include <cassert>
#include <cstring>
#include <new>

#include "base/secret.hpp"

// The way of a burst, on the engine's thread:
//   open:  1 lengths, sequence number, replay check, nonce   2 the engine decrypts and authenticates
//          3 replay commit, padding, next header, counters
//   seal:  1 room, sequence number, IV, padding, trailer     2 the engine encrypts and makes the ICV
//          3 counters
// Each step is taken for the whole burst before the next one.

namespace sluice::esp {
namespace {

constexpr std::uint32_t kMaxPacket = 65535;
constexpr std::uint8_t kNoNextHeader = 59;

template <class JobType>
bool drop(JobType& job, DropReason reason) {
  job.result = reason;
  return false;
}

std::uint32_t high_half(std::uint64_t sequence) {
  return static_cast<std::uint32_t>(sequence >> 32);
}

/// Places and lengths that both directions share. With ESN the high half is authenticated but not sent: RFC
/// 4106 §5 puts it between SPI and low half, RFC 4303 §2.2.1 behind the text.
void lay_out(Job& job, const Suite& s, std::uint8_t* esp, std::uint32_t text_length, bool esn) {
  job.suite = &s;
  job.esp = esp;
  job.text_offset = kEspHeaderSize + s.iv_size;
  job.text_length = text_length;
  job.authentic = false;
  job.failed = true;  // until the engine says that it was done: no text leaves here unsealed
  job.done = false;
  if (s.aead()) {
    job.iv = job.nonce;
    job.aad = esp;
    job.aad_length = kEspHeaderSize;
    if (esn) {
      std::memcpy(job.aad_room, esp, 4);
      store_be32(job.aad_room + 4, high_half(job.sequence));
      std::memcpy(job.aad_room + 8, esp + 4, 4);
      job.aad = job.aad_room;
      job.aad_length = 12;
    }
    return;
  }
  job.iv = esp + kEspHeaderSize;
  job.mac_length = job.text_offset + text_length;
  if (esn) {
    store_be32(job.text() + text_length, high_half(job.sequence));
    job.mac_length += 4;
  }
}

/// RFC 4303 §2.4: 1, 2, 3 ...; the last byte before the pad length is therefore the pad length itself.
bool padding_right(const std::uint8_t* end, std::uint32_t length) {
  const std::uint8_t* first = end - length;
  std::uint32_t wrong = 0;
  for (std::uint32_t i = 0; i < length; ++i) wrong |= first[i] ^ (i + 1);
  return wrong == 0;
}

}  // namespace

bool Engine::prepare(OpenJob& job) {
  InboundSa& sa = *job.sa;
  const Suite& s = *sa.suite_;
  job.event = LimitEvent::kNone;
  job.sealing = false;
  const std::uint32_t around = kEspHeaderSize + s.iv_size + s.icv_size;
  if (job.packet.length < around + s.alignment) return drop(job, DropReason::kTooShort);
  if (job.packet.length > kMaxPacket) return drop(job, DropReason::kTooLong);
  const std::uint32_t text_length = job.packet.length - around;
  if (text_length % s.alignment != 0) return drop(job, DropReason::kMisaligned);
  if (sa.expired_) return drop(job, DropReason::kExpired);

  std::uint8_t* esp = job.packet.data();
  const std::uint32_t low = load_be32(esp + 4);
  job.sequence = low;
  if (sa.esn_) {
    const auto whole = sa.replay_.recover(low);
    if (!whole) return drop(job, DropReason::kBehindWindow);
    job.sequence = *whole;
  }
  job.ticket = sa.replay_.check(job.sequence);
  switch (job.ticket.verdict()) {
    case ReplayVerdict::kFresh:
      break;
    case ReplayVerdict::kSeen:
      return drop(job, DropReason::kReplayed);
    case ReplayVerdict::kBehind:
      return drop(job, DropReason::kBehindWindow);
  }

  job.key = sa.key_;
  job.icv = esp + kEspHeaderSize + s.iv_size + text_length;
  if (s.aead()) {
    std::memcpy(job.nonce, sa.salt_, 4);
    std::memcpy(job.nonce + 4, esp + kEspHeaderSize, 8);
  } else if (sa.esn_) {
    std::memcpy(job.icv_room, job.icv, s.icv_size);  // its place is needed for the high half
    job.icv = job.icv_room;
  }
  lay_out(job, s, esp, text_length, sa.esn_);
  return true;
}

void Engine::finish(OpenJob& job) {
  InboundSa& sa = *job.sa;
  if (job.failed) return void(drop(job, DropReason::kEngineFailure));
  if (!job.authentic) return void(drop(job, DropReason::kBadIcv));
  if (!sa.replay_.commit(job.ticket)) return void(drop(job, DropReason::kReplayed));
  const std::uint8_t* trailer = job.text() + job.text_length - 2;
  const std::uint32_t pad = trailer[0];
  if (pad + 2 > job.text_length || !padding_right(trailer, pad))
    return void(drop(job, DropReason::kBadPadding));
  job.next_header = trailer[1];
  if (job.next_header == kNoNextHeader) return void(drop(job, DropReason::kDummy));
  job.packet.offset += job.text_offset;
  job.packet.length = job.text_length - 2 - pad;
  job.result = DropReason::kNone;
  job.event = sa.count(job.packet.length, sa.limits_);
}

bool Engine::prepare(SealJob& job) {
  OutboundSa& sa = *job.sa;
  const Suite& s = *sa.suite_;
  job.event = LimitEvent::kNone;
  job.sealing = true;
  const std::uint32_t payload = job.packet.length;
  if (payload > kMaxPacket - kMaxHeadroom - kMaxTailroom) return drop(job, DropReason::kTooLong);
  const std::uint32_t before = kEspHeaderSize + s.iv_size;
  const std::uint32_t pad = (s.alignment - (payload + 2) % s.alignment) % s.alignment;
  if (job.packet.headroom() < before || job.packet.tailroom() < pad + 2 + s.icv_size) {
    return drop(job, DropReason::kNoRoom);
  }
  if (sa.last_sequence_ >= sa.may_use_) [[unlikely]] {
    const std::uint64_t last = sa.esn_ ? UINT64_MAX : UINT32_MAX;
    return drop(job, sa.last_sequence_ >= last ? DropReason::kSequenceExhausted : DropReason::kNotReserved);
  }
  if (sa.expired_) return drop(job, DropReason::kExpired);
  job.sequence = ++sa.last_sequence_;

  std::uint8_t* trailer = job.packet.data() + payload;
  for (std::uint32_t i = 0; i < pad; ++i) trailer[i] = static_cast<std::uint8_t>(i + 1);
  trailer[pad] = static_cast<std::uint8_t>(pad);
  trailer[pad + 1] = job.next_header;
  job.packet.offset -= before;
  job.packet.length = before + payload + pad + 2 + s.icv_size;

  std::uint8_t* esp = job.packet.data();
  store_be32(esp, sa.spi_.value());
  store_be32(esp + 4, static_cast<std::uint32_t>(job.sequence));
  job.key = sa.key_;
  if (s.aead()) {
    // RFC 4106 §3.1: unique is all the IV has to be, and the sequence number is.
    store_be64(esp + kEspHeaderSize, job.sequence);
    std::memcpy(job.nonce, sa.salt_, 4);
    std::memcpy(job.nonce + 4, esp + kEspHeaderSize, 8);
  } else {
    ivs_.fill({esp + kEspHeaderSize, s.iv_size});
  }
  lay_out(job, s, esp, payload + pad + 2, sa.esn_);
  job.icv = job.text() + job.text_length;
  job.event = sa.count(payload, sa.limits_);
  if (job.sequence >= sa.ask_at_ && job.event == LimitEvent::kNone) [[unlikely]] {
    sa.ask_at_ = UINT64_MAX;
    job.event = LimitEvent::kReserve;
  }
  return true;
}

void Engine::finish(SealJob& job) {
  job.result = job.failed ? DropReason::kEngineFailure : DropReason::kNone;
}

template <class JobType>
void Engine::work(std::span<JobType> jobs) {
  while (!jobs.empty()) {
    const auto part = jobs.first(std::min(jobs.size(), kBurst));
    std::size_t ready = 0;
    for (auto& job : part) {
      if (prepare(job)) burst_[ready++] = &job;
    }
    if (ready > 0) run({burst_.data(), ready});
    for (std::size_t i = 0; i < ready; ++i) finish(static_cast<JobType&>(*burst_[i]));
    jobs = jobs.subspan(part.size());
  }
}

void Engine::open(std::span<OpenJob> jobs) {
  work(jobs);
}
void Engine::seal(std::span<SealJob> jobs) {
  work(jobs);
}

template <class JobType>
std::size_t Engine::accept(std::span<JobType> jobs) {
  jobs = jobs.first(std::min({jobs.size(), queue_room(), kBurst}));
  std::size_t ready = 0;
  for (auto& job : jobs) {
    job.next = nullptr;
    if (!prepare(job)) {
      to_finished(job);
      continue;
    }
    Sa& sa = *job.sa;
    (sa.last_job_ != nullptr ? sa.last_job_->next : sa.first_job_) = &job;
    sa.last_job_ = &job;
    burst_[ready++] = &job;
  }
  in_flight_ += jobs.size();
  if (ready > 0) enqueue({burst_.data(), ready});
  return jobs.size();
}

std::size_t Engine::submit(std::span<OpenJob> jobs) {
  return accept(jobs);
}
std::size_t Engine::submit(std::span<SealJob> jobs) {
  return accept(jobs);
}

void Engine::enqueue(std::span<CryptoJob* const> jobs) {
  run(jobs);
  for (auto* job : jobs) restore_order(*static_cast<Job*>(job));
}
std::size_t Engine::dequeue(std::span<CryptoJob*> /*done*/) {
  return 0;
}

/// A job came out of the engine: it, and those of its SA that only waited for it, are finished in order.
void Engine::restore_order(Job& job) {
  job.done = true;
  Sa& sa = job.sealing ? static_cast<Sa&>(*static_cast<SealJob&>(job).sa) : *static_cast<OpenJob&>(job).sa;
  while (sa.first_job_ != nullptr && sa.first_job_->done) {
    Job& oldest = *sa.first_job_;
    sa.first_job_ = oldest.next;
    if (sa.first_job_ == nullptr) sa.last_job_ = nullptr;
    if (oldest.sealing) {
      finish(static_cast<SealJob&>(oldest));
    } else {
      finish(static_cast<OpenJob&>(oldest));
    }
    to_finished(oldest);
  }
}

void Engine::to_finished(Job& job) {
  job.next = nullptr;
  (last_finished_ != nullptr ? last_finished_->next : first_finished_) = &job;
  last_finished_ = &job;
}

std::size_t Engine::poll(std::span<Job*> done) {
  std::array<CryptoJob*, kBurst> raw;
  const std::size_t came = dequeue(raw);
  for (std::size_t i = 0; i < came; ++i) restore_order(*static_cast<Job*>(raw[i]));
  std::size_t count = 0;
  while (count < done.size() && first_finished_ != nullptr) {
    done[count++] = first_finished_;
    first_finished_ = first_finished_->next;
  }
  if (first_finished_ == nullptr) last_finished_ = nullptr;
  in_flight_ -= count;
  return count;
}

Result<Engine::Memory, std::string> Engine::set_aside(const SaParameters& p, std::size_t sa_size,
                                                      bool sealing) {
  if (p.suite == nullptr) return Failure{std::string("an SA needs a suite")};
  const Suite& s = *p.suite;
  if (p.encryption_key.size() != s.keying_size() || p.integrity_key.size() != s.integrity_key_size) {
    return Failure{std::string(s.name) + " takes keys of " + std::to_string(s.keying_size()) + " and " +
                   std::to_string(s.integrity_key_size) + " bytes, not " +
                   std::to_string(p.encryption_key.size()) + " and " +
                   std::to_string(p.integrity_key.size())};
  }
  if (backend(s).empty())
    return Failure{"engine " + std::string(name()) + " does not do " + std::string(s.name)};
  Memory memory;
  memory.size = sa_size + SaPool::round(key_state_size(s, sealing));
  memory.sa = pool_.allocate(memory.size);
  memory.key = static_cast<std::byte*>(memory.sa) + sa_size;
  if (!load_key(memory.key, {&s, sealing, p.encryption_key.first(s.key_size), p.integrity_key})) {
    pool_.release(memory.sa, memory.size);
    return Failure{"engine " + std::string(name()) + " refuses a key for " + std::string(s.name)};
  }
  return memory;
}

template <class SaType>
Result<std::unique_ptr<SaType, SaDeleter>, std::string> Engine::make(const SaParameters& p, bool sealing) {
  static_assert(sizeof(SaType) % SaPool::kLine == 0, "prefetch() expects the key state right behind the SA");
  auto memory = set_aside(p, sizeof(SaType), sealing);
  if (!memory) return Failure{memory.error()};
  return std::unique_ptr<SaType, SaDeleter>(new (memory->sa) SaType(*this, p, memory->key, memory->size));
}

Result<InboundSaPtr, std::string> Engine::make_inbound(const SaParameters& p) {
  return make<InboundSa>(p, false);
}
Result<OutboundSaPtr, std::string> Engine::make_outbound(const SaParameters& p) {
  return make<OutboundSa>(p, true);
}

template <class SaType>
void Engine::release(SaType* sa) {
  assert(sa->first_job_ == nullptr);
  const std::size_t size = sa->footprint_;
  drop_key(sa->key_, *sa->suite_);
  sa->~SaType();
  auto* memory = reinterpret_cast<std::uint8_t*>(sa);
  wipe({memory, size});
  pool_.release(memory, size);
}

void SaDeleter::operator()(InboundSa* sa) const {
  sa->engine_->release(sa);
}
void SaDeleter::operator()(OutboundSa* sa) const {
  sa->engine_->release(sa);
}

}  // namespace sluice::esp
