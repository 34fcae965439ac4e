#include "edge/dataplane/worker.hpp"

#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <time.h>

#include <algorithm>

#include "base/app/clock.hpp"

namespace sluice::edge {
namespace {

constexpr std::size_t kQueueSize = 16384;
constexpr int kMaxWaitMs = 1000;

void signal(int fd) {
  const std::uint64_t one = 1;
  // A full counter means that the other side has not read yet: it will wake all the same.
  [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
}

}  // namespace

Worker::Worker(std::uint32_t index, WorkerPorts ports, std::unique_ptr<esp::Engine> engine,
               std::uint32_t replay_window, int woken, PipelineLimits limits, WorkerTuning tuning)
    : index_(index),
      woken_(woken),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      commands_(kQueueSize),
      events_(kQueueSize),
      loop_(std::move(ports),
            std::make_unique<Pipeline>(
                std::move(engine), replay_window, [this](Event event) { emit(std::move(event)); }, limits),
            wake_.get()),
      tuning_(tuning) {
  loop_.on_stream([this](BackendId backend, Bytes packet) { exchange_.put(backend.value(), packet); });
  thread_ = std::thread([this] { run(); });
}

Worker::~Worker() {
  post(StopWorker{});
  while (!waiting_.empty()) flush();
  thread_.join();
}

void Worker::post(Command command) {
  waiting_.push_back(std::move(command));
  flush();
}

void Worker::flush() {
  std::size_t sent = 0;
  while (sent < waiting_.size() && commands_.push(std::move(waiting_[sent]))) ++sent;
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(sent));
  signal(wake_.get());
}

bool Worker::give_frames(Bytes records) {
  const bool taken = exchange_.give(records);
  signal(wake_.get());
  return taken;
}

void Worker::emit(Event event) {
  emitted_ = true;
  if (!events_.push(std::move(event))) lost_events_.add();
}

std::chrono::nanoseconds Worker::cpu_time() const {
  clockid_t clock{};
  timespec used{};
  const auto thread = const_cast<std::thread&>(thread_).native_handle();
  if (::pthread_getcpuclockid(thread, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return {};
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

void Worker::pin() {
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(index_ % cores, &set);
  // A core outside of what this process may use: it runs where it may.
  ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
}

void Worker::run() {
  if (tuning_.pin) pin();
  while (!stopping_) {
    wait();
    const auto now = app::now();
    drain_commands(now);
    if (loop_.receive(now)) last_packet_ = now;
    exchange_.receive([&](std::span<transport::RxPacket> burst) { loop_.from_stream(burst, now); });
    if (const auto next = pipeline().next_timeout(); next && *next <= now) loop_.on_timeout(now);
    emitted_ |= exchange_.flush();
    if (std::exchange(emitted_, false)) signal(woken_);
  }
}

void Worker::wait() {
  int timeout = kMaxWaitMs;
  const bool busy = tuning_.busy_poll.count() > 0 && app::now() - last_packet_ < tuning_.busy_poll;
  if (const auto next = pipeline().next_timeout()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - app::now()).count();
    timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, kMaxWaitMs));
  }
  if (!loop_.wait(busy ? 0 : timeout)) return;
  std::uint64_t ignored = 0;
  [[maybe_unused]] const auto got = ::read(wake_.get(), &ignored, sizeof ignored);
}

void Worker::drain_commands(Instant now) {
  while (auto command = commands_.pop()) {
    if (std::holds_alternative<StopWorker>(*command)) {
      stopping_ = true;
      return;
    }
    loop_.apply(std::move(*command), now);
  }
}

}  // namespace sluice::edge
