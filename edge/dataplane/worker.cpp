#include "edge/dataplane/worker.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <stdexcept>

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
               std::uint32_t replay_window, int woken)
    : index_(index),
      ports_(std::move(ports)),
      woken_(woken),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      commands_(kQueueSize),
      events_(kQueueSize) {
  if (!wake_ || !epoll_) throw std::runtime_error("a data worker cannot be made: too many open files?");
  const auto watch = [&](int fd) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      throw std::runtime_error("a data worker cannot watch its sockets");
    }
  };
  watch(wake_.get());
  for (const auto& port : ports_.ike) watch(port.fd());
  for (const auto& port : ports_.natt) watch(port.fd());
  for (const auto& port : ports_.raw) watch(port.fd());
  for (const auto& port : ports_.channel) watch(port.fd());
  pipeline_ = std::make_unique<Pipeline>(std::move(engine), replay_window, [this](Event event) { emit(std::move(event)); });
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

void Worker::emit(Event event) {
  emitted_ = true;
  if (!events_.push(std::move(event))) lost_events_.add();
}

void Worker::run() {
  bool backlog = false;
  while (!stopping_) {
    wait(backlog);
    const auto now = app::now();
    drain_commands(now);
    backlog = receive(now);
    if (const auto next = pipeline_->next_timeout(); next && *next <= now) {
      pipeline_->on_timeout(now, out_);
      send();
    }
    if (std::exchange(emitted_, false)) signal(woken_);
  }
}

void Worker::wait(bool backlog) {
  int timeout = backlog ? 0 : kMaxWaitMs;
  if (const auto next = pipeline_->next_timeout(); next && !backlog) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - app::now()).count();
    timeout = static_cast<int>(std::clamp<std::int64_t>(left, 0, kMaxWaitMs));
  }
  epoll_event ready[16];
  const int count = ::epoll_wait(epoll_.get(), ready, 16, timeout);
  if (count > 0) {
    std::uint64_t ignored = 0;
    [[maybe_unused]] const auto got = ::read(wake_.get(), &ignored, sizeof ignored);
  }
}

void Worker::drain_commands(Instant now) {
  while (auto command = commands_.pop()) {
    if (std::holds_alternative<StopWorker>(*command)) {
      stopping_ = true;
      return;
    }
    pipeline_->apply(std::move(*command), now, out_);
    send();
  }
}

bool Worker::receive(Instant now) {
  bool backlog = false;
  for (auto& port : ports_.ike) {
    for (auto& rx : port.recv_burst()) {
      const auto bytes = rx.packet.bytes();
      emit(IkeArrived{{rx.local, port.local().port}, rx.remote, false, ByteVector(bytes.begin(), bytes.end())});
    }
    backlog |= port.backlog();
  }
  for (auto& port : ports_.natt) {
    if (const auto burst = port.recv_burst(); !burst.empty()) {
      bursts_.add();
      pipeline_->from_clients(burst, port.local().port, now, out_);
      send();
    }
    backlog |= port.backlog();
  }
  for (auto& port : ports_.raw) {
    if (const auto burst = port.recv_burst(); !burst.empty()) {
      pipeline_->from_clients_raw(burst, now, out_);
      send();
    }
  }
  for (auto& port : ports_.channel) {
    if (const auto burst = port.recv_burst(); !burst.empty()) {
      pipeline_->from_agents(burst, now, out_);
      send();
    }
    backlog |= port.backlog();
  }
  return backlog;
}

// Hands runs of packets for the same socket to it in one call; the socket makes segmented calls of those.
void Worker::send() {
  const auto packets = out_.packets();
  for (std::size_t from = 0; from < packets.size();) {
    const auto& first = packets[from];
    std::size_t to = from;
    run_.clear();
    const auto same = [&](const Outgoing& other) {
      return other.exit == first.exit && (first.exit == Exit::kAgent || other.packet.local == first.packet.local);
    };
    while (to < packets.size() && same(packets[to])) run_.push_back(packets[to++].packet);
    const auto matches = [&](const auto& port) { return port.local().address == first.packet.local; };
    switch (first.exit) {
      case Exit::kAgent:
        ports_.channel.front().send_burst(run_);
        break;
      case Exit::kClientUdp: {
        const auto port = std::find_if(ports_.natt.begin(), ports_.natt.end(), matches);
        (port == ports_.natt.end() ? ports_.natt.front() : *port).send_burst(run_);
        break;
      }
      case Exit::kClientRaw: {
        const auto index = static_cast<std::size_t>(
            std::find_if(ports_.natt.begin(), ports_.natt.end(), matches) - ports_.natt.begin());
        if (index < ports_.raw.size()) ports_.raw[index].send_burst(run_);
        break;
      }
    }
    from = to;
  }
  out_.clear();
}

}  // namespace sluice::edge
