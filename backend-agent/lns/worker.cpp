// A turn of the worker:
//   1 wait   2 commands   3 edges: receive, open, L2TP, PPP, write to TUN   4 TUN: read, PPP, L2TP, seal,
//   send 5 what L2TP and PPP have to say   6 timeouts   7 events to the control thread
#include "backend-agent/lns/worker.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "base/app/clock.hpp"

namespace sluice::agent {
namespace {

constexpr std::size_t kQueueSize = 16384;
constexpr int kMaxWaitMs = 1000;
/// Packets read from the TUN device in one turn.
constexpr std::size_t kTunBurst = Carrier::kBurst;
constexpr std::size_t kBufferSize = 2304;
constexpr std::size_t kOffset = 128;
constexpr std::size_t kMaxIp = kBufferSize - kOffset - Carrier::kTailroom;
static_assert(kOffset >= Carrier::kHeadroom + Lns::kHeadroom && kMaxIp >= 2048);

void signal(int fd) {
  const std::uint64_t one = 1;
  // A full counter means that the other side has not read yet: it will wake all the same.
  [[maybe_unused]] const auto written = ::write(fd, &one, sizeof one);
}

}  // namespace

struct Worker::Buffers {
  std::array<std::array<std::uint8_t, kBufferSize>, Carrier::kBurst> slots;
  std::size_t used = 0;
};

Worker::Worker(WorkerParts parts)
    : port_(std::move(parts.port)),
      tun_(std::move(parts.tun)),
      carrier_(std::move(parts.engine)),
      lns_(std::move(parts.lns), random_, [this](Event event) { emit(std::move(event)); }),
      woken_(parts.woken),
      wake_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      buffers_(std::make_unique<Buffers>()),
      commands_(kQueueSize),
      events_(kQueueSize),
      released_(kQueueSize) {
  if (parts.handoff) {
    handoff_ = std::make_unique<Handoff>(*parts.handoff, [this](Event event) { emit(std::move(event)); });
    to_client_ = [this](const TunnelKey& key, std::uint32_t edge_worker, Bytes l2tp) {
      queue_copy(key, edge_worker, l2tp);
    };
  }
  for (const int fd : {wake_.get(), port_.fd(), handoff_ ? handoff_->fd() : tun_.fd()}) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (!epoll_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      throw std::runtime_error("the data worker cannot watch its sockets: too many open files?");
    }
  }
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
  while (!waiting_.empty() && commands_.push(std::move(waiting_.front()))) waiting_.pop_front();
  signal(wake_.get());
}

bool Worker::give_frames(Bytes records) {
  const bool taken = exchange_.give(records);
  signal(wake_.get());
  return taken;
}

Duration Worker::cpu_time() {
  clockid_t clock{};
  timespec spent{};
  if (::pthread_getcpuclockid(thread_.native_handle(), &clock) != 0) return Duration::zero();
  if (::clock_gettime(clock, &spent) != 0) return Duration::zero();
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

Duration Worker::slept(Instant now) const {
  const Duration before(static_cast<Duration::rep>(stats_.slept.read()));
  const auto since = stats_.asleep_since.load(std::memory_order_relaxed);
  return since == 0 ? before : before + (now - Instant(Duration(since)));
}

void Worker::run() {
  while (!stopping_) {
    wait();
    const Instant now = app::now();
    busy_ = false;
    drain_commands(now);
    from_edges(now);
    handoff_ ? from_servers(now) : from_tun(now);
    time(now);
    send_outgoing();
    hand_out();
  }
}

void Worker::wait() {
  int timeout = busy_ ? 0 : kMaxWaitMs;
  if (!unsent_.empty()) timeout = std::min(timeout, 1);
  const Instant now = app::now();
  const auto handoff = handoff_ ? handoff_->next_timeout() : std::nullopt;
  for (const auto& next : {lns_.next_timeout(), carrier_.next_timeout(), handoff}) {
    if (!next) continue;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - now).count();
    timeout = std::min(timeout, static_cast<int>(std::clamp<std::int64_t>(left, 0, kMaxWaitMs)));
  }
  epoll_event ready[4];
  if (timeout != 0) stats_.asleep_since.store(now.time_since_epoch().count(), std::memory_order_relaxed);
  const int count = ::epoll_wait(epoll_.get(), ready, 4, timeout);
  if (timeout != 0) {
    stats_.asleep_since.store(0, std::memory_order_relaxed);
    stats_.slept.add(static_cast<std::uint64_t>((app::now() - now).count()));
  }
  for (int i = 0; i < count; ++i) {
    if (ready[i].data.fd != wake_.get()) continue;
    std::uint64_t ignored = 0;
    [[maybe_unused]] const auto got = ::read(wake_.get(), &ignored, sizeof ignored);
  }
}

void Worker::drain_commands(Instant now) {
  while (auto command = commands_.pop()) apply(std::move(*command), now);
}

void Worker::apply(Command command, Instant now) {
  if (std::holds_alternative<StopWorker>(command)) {
    stopping_ = true;
  } else if (auto* install = std::get_if<InstallPaths>(&command)) {
    if (auto error = carrier_.install(*install, now))
      emit(ChannelFailed{install->channel, std::move(*error)});
  } else if (auto* remove = std::get_if<RemoveChannel>(&command)) {
    lns_.close_channel(remove->channel, remove->text);
    if (handoff_) handoff_->close_channel(remove->channel, remove->text);
    carrier_.remove(remove->channel);
  } else if (const auto* hold = std::get_if<HoldChannel>(&command)) {
    lns_.hold_channel(hold->channel);
    carrier_.remove(hold->channel);
  } else if (const auto* describe = std::get_if<DescribeTunnels>(&command)) {
    emit(handoff_ ? handoff_->describe_tunnels(describe->channel) : lns_.describe_tunnels(describe->channel));
  } else if (const auto* rebind = std::get_if<RebindTunnel>(&command)) {
    handoff_ ? handoff_->rebind(*rebind) : lns_.rebind(*rebind, now);
  } else if (auto* set = std::get_if<SetProfile>(&command)) {
    lns_.set_profile(std::move(set->profile));
  } else if (handoff_) {
    apply_to_handoff(command, now);
  } else if (auto* open = std::get_if<OpenTunnel>(&command)) {
    lns_.open_tunnel(open->spec, now);
  } else if (auto* close = std::get_if<CloseTunnel>(&command)) {
    lns_.close_tunnel(close->key, close->text);
  } else if (auto* over = std::get_if<EndTunnel>(&command)) {
    lns_.end_tunnel(over->key, over->text, now);
  } else if (auto* decided = std::get_if<AuthDecided>(&command)) {
    lns_.decide(*decided, now);
  } else if (auto* change = std::get_if<ChangePolicy>(&command)) {
    lns_.change_policy(*change, now);
  } else if (auto* ask = std::get_if<AskCounters>(&command)) {
    lns_.tell_counters(*ask);
  } else if (auto* end = std::get_if<EndSession>(&command)) {
    lns_.end_session(*end, now);
  } else if (auto* all = std::get_if<CloseAll>(&command)) {
    closing_ = true;
    lns_.close_all(all->text, now);
  }
}

/// What is left when nothing ends here: there are no users and no addresses.
void Worker::apply_to_handoff(const Command& command, Instant now) {
  if (const auto* open = std::get_if<OpenTunnel>(&command)) {
    handoff_->open_tunnel(open->spec, now);
  } else if (const auto* close = std::get_if<CloseTunnel>(&command)) {
    handoff_->close_tunnel(close->key, close->text);
  } else if (const auto* over = std::get_if<EndTunnel>(&command)) {
    handoff_->end_tunnel(over->key, over->text, to_client_, now);
  } else if (const auto* all = std::get_if<CloseAll>(&command)) {
    closing_ = true;
    handoff_->close_all(all->text, to_client_, now);
  }
}

void Worker::from_edges(Instant now) {
  const auto burst = port_.recv_burst();
  busy_ |= port_.backlog();
  for (std::size_t at = 0; at < burst.size(); at += Carrier::kBurst) {
    take_frames(burst.subspan(at, std::min(Carrier::kBurst, burst.size() - at)), now, false);
  }
  exchange_.receive([&](std::span<transport::RxPacket> part) { take_frames(part, now, true); });
}

void Worker::take_frames(std::span<transport::RxPacket> packets, Instant now, bool stream) {
  for (const auto& frame : carrier_.open(packets, now, stream)) {
    if (handoff_) {
      handoff_->from_edge(frame.key, frame.l2tp, to_client_, now);
      continue;
    }
    const MutableBytes ip = lns_.from_edge(frame.key, frame.l2tp, now);
    if (ip.empty()) continue;
    stats_.packets_up.add();
    stats_.bytes_up.add(ip.size());
    tun_.put(ip);
  }
  tun_.flush();
}

void Worker::from_tun(Instant now) {
  for (std::size_t i = 0; i < kTunBurst; ++i) {
    if (buffers_->used == Carrier::kBurst || carrier_.full()) send();
    auto& buffer = buffers_->slots[buffers_->used];
    const auto size = tun_.read(MutableBytes(buffer).subspan(kOffset, kMaxIp));
    if (size == 0) break;
    busy_ |= i + 1 == kTunBurst;
    const auto packet = lns_.from_tun(buffer, kOffset, size, now);
    if (!packet) continue;
    ++buffers_->used;
    stats_.packets_down.add();
    stats_.bytes_down.add(size);
    const auto offset = static_cast<std::size_t>(packet->l2tp.data() - buffer.data());
    carrier_.queue(packet->key, packet->edge_worker,
                   esp::PacketBuffer::within(buffer, offset, packet->l2tp.size()));
  }
  send();
}

void Worker::from_servers(Instant now) {
  busy_ |= handoff_->receive(to_client_, now);
  send();
}

void Worker::queue_copy(const TunnelKey& key, std::uint32_t edge_worker, Bytes l2tp) {
  if (l2tp.size() > kMaxIp) return;
  if (buffers_->used == Carrier::kBurst || carrier_.full()) send();
  auto& buffer = buffers_->slots[buffers_->used++];
  std::copy(l2tp.begin(), l2tp.end(), buffer.begin() + kOffset);
  carrier_.queue(key, edge_worker, esp::PacketBuffer::within(buffer, kOffset, l2tp.size()));
}

/// Control messages and PPP's own frames.
void Worker::send_outgoing() {
  while (auto packet = lns_.poll_transmit()) queue_copy(packet->key, packet->edge_worker, packet->l2tp);
  send();
}

void Worker::send() {
  if (const auto sealed = carrier_.seal(); !sealed.empty()) port_.send_burst(sealed);
  for (const auto& streamed : carrier_.streamed()) exchange_.put(streamed.channel.value(), streamed.packet);
  buffers_->used = 0;
}

void Worker::time(Instant now) {
  if (const auto next = lns_.next_timeout(); next && *next <= now) lns_.on_timeout(now);
  if (handoff_) handoff_->on_timeout(to_client_, now);
  if (const auto next = carrier_.next_timeout(); next && *next <= now) {
    carrier_.on_timeout(now);
    if (const auto hellos = carrier_.hellos(); !hellos.empty()) port_.send_burst(hellos);
  }
  for (const auto& change : carrier_.take_changes()) emit(change);
}

void Worker::hand_out() {
  const bool empty = handoff_ ? handoff_->empty() : lns_.empty();
  if (closing_ && empty) {
    closing_ = false;
    emit(AllClosed{});
  }
  bool any = exchange_.flush();
  while (!unsent_.empty() && events_.push(std::move(unsent_.front()))) {
    unsent_.pop_front();
    any = true;
  }
  for (Spi spi : carrier_.take_released()) any |= released_.push(std::move(spi));
  stats_.tunnels.store(static_cast<std::uint32_t>(handoff_ ? handoff_->tunnels() : lns_.tunnels()),
                       std::memory_order_relaxed);
  stats_.sessions.store(static_cast<std::uint32_t>(handoff_ ? handoff_->sessions_up() : lns_.sessions_up()),
                        std::memory_order_relaxed);
  if (any) signal(woken_);
}

}  // namespace sluice::agent
