#pragma once
// An engine opens and seals bursts of ESP packets in place (RFC 4303). How to write one: docs/engines.md.
//
// Thread: an engine and its SAs belong to one thread. Nothing here takes a lock, allocates or makes a system
// call per packet; SAs are made and deleted between bursts.

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/result.hpp"
#include "esp/iv_pool.hpp"
#include "esp/job.hpp"
#include "esp/sa.hpp"
#include "esp/sa_pool.hpp"

namespace sluice::esp {

/// Which way a key will be used, and its parts.
struct KeyMaterial {
  const Suite* suite = nullptr;
  bool sealing = false;
  Bytes encryption;  ///< without salt
  Bytes integrity;
};

class Engine {
 public:
  static constexpr std::size_t kBurst = 64;  ///< packets worked at a time; longer spans are cut

  explicit Engine(RandomSource& random) : ivs_(random) {}
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;
  virtual ~Engine() = default;

  virtual std::string_view name() const = 0;
  /// Which code works a suite: the engine's own name, that of its fallback, or empty where there is neither.
  virtual std::string_view backend(const Suite& suite) const = 0;

  /// SAs come ready to use; the error says what does not fit. Keys are copied; the caller wipes its own.
  Result<InboundSaPtr, std::string> make_inbound(const SaParameters& parameters);
  Result<OutboundSaPtr, std::string> make_outbound(const SaParameters& parameters);

  /// The whole of RFC 4303 §3.4 and §3.3 for each job, done on return. Jobs of one SA are taken in the order
  /// given.
  void open(std::span<OpenJob> jobs);
  void seal(std::span<SealJob> jobs);

  /// The same without waiting. Takes as many jobs from the front as there is room for and says how many;
  /// those stay where they are until poll() hands them out, which it does in the order of submission for each
  /// SA (those refused without the engine's help may come sooner).
  std::size_t submit(std::span<OpenJob> jobs);
  std::size_t submit(std::span<SealJob> jobs);
  /// Jobs that are done, at most done.size(): OpenJob or SealJob by Job::sealing. Finished ones only; never
  /// waits.
  std::size_t poll(std::span<Job*> done);
  /// Submitted and not yet handed out.
  std::size_t in_flight() const { return in_flight_; }

  // What an engine implements. Public because engines wrap one another; packets go through open() and seal().

  /// Bytes of key state to set aside for an SA; it begins on a cache line.
  virtual std::size_t key_state_size(const Suite& suite, bool sealing) const = 0;
  /// Fills that memory. False: the key cannot be used.
  virtual bool load_key(void* state, const KeyMaterial& key) = 0;
  /// Lets go of whatever load_key took beside that memory, which is wiped afterwards.
  virtual void drop_key(void* /*state*/, const Suite& /*suite*/) {}
  /// Does the jobs, at most kBurst, whatever their suites, keys and directions. Each comes in with `failed`
  /// set; those done leave with it cleared and with `authentic` set or the ICV written. Keeps to the contract
  /// of CryptoJob, whose text here may have any length.
  virtual void run(std::span<CryptoJob* const> jobs) = 0;

 protected:
  /// An asynchronous engine overrides these three; its run() waits for the jobs given and leaves others be.
  /// queue_room(): how many jobs enqueue() would take. dequeue(): those done, in any order, at most
  /// done.size().
  virtual std::size_t queue_room() const { return kBurst; }
  virtual void enqueue(std::span<CryptoJob* const> jobs);
  virtual std::size_t dequeue(std::span<CryptoJob*> done);

  /// Runs the known answers of a suite through run(). For constructors of engines.
  bool known_answers_hold(const Suite& suite);

 private:
  friend struct SaDeleter;
  struct Memory {
    void* sa = nullptr;
    void* key = nullptr;
    std::size_t size = 0;
  };
  Result<Memory, std::string> set_aside(const SaParameters& p, std::size_t sa_size, bool sealing);
  template <class SaType>
  Result<std::unique_ptr<SaType, SaDeleter>, std::string> make(const SaParameters& p, bool sealing);
  template <class SaType>
  void release(SaType* sa);

  template <class JobType>
  void work(std::span<JobType> jobs);
  template <class JobType>
  std::size_t accept(std::span<JobType> jobs);
  bool prepare(OpenJob& job);
  bool prepare(SealJob& job);
  void finish(OpenJob& job);
  void finish(SealJob& job);
  void make_iv(SealJob& job);
  void restore_order(Job& job);
  void to_finished(Job& job);

  IvPool ivs_;
  SaPool pool_;
  std::array<CryptoJob*, kBurst> burst_{};
  Job* first_finished_ = nullptr;
  Job* last_finished_ = nullptr;
  std::size_t in_flight_ = 0;
};

/// "botan", "ipsec_mb" (where built) and "async_test".
std::vector<std::string_view> engine_names();
/// An engine by name, its known answers checked. "auto": the fastest whose answers are right. `random` need
/// only live until this returns. The error says what is wrong and what there is instead.
Result<std::unique_ptr<Engine>, std::string> make_engine(std::string_view name, RandomSource& random);

}  // namespace sluice::esp
