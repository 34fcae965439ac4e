#include "edge/dataplane/packet_loop.hpp"

#include <algorithm>
#include <stdexcept>

namespace sluice::edge {
namespace {

constexpr std::uint64_t kWake = UINT64_MAX;

template <class Port>
bool has_more(const Port& port) {
  if constexpr (requires { port.backlog(); }) {
    return port.backlog();
  } else {
    return false;
  }
}

}  // namespace

PacketLoop::PacketLoop(WorkerPorts ports, std::unique_ptr<Pipeline> pipeline, int wake)
    : ports_(std::move(ports)), pipeline_(std::move(pipeline)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  const auto watch = [this](int fd, std::uint64_t name) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = name;
    if (!epoll_ || ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
      throw std::runtime_error("a data worker cannot watch its sockets: too many open files?");
    }
  };
  std::uint64_t count = 0;
  for (const auto& port : ports_.ike) watch(port.fd(), count++);
  for (const auto& port : ports_.natt) watch(port.fd(), count++);
  for (const auto& port : ports_.raw) watch(port.fd(), count++);
  for (const auto& port : ports_.channel) watch(port.fd(), count++);
  watch(wake, kWake);
  ready_.resize(count);
  events_.resize(count + 1);
}

bool PacketLoop::wait(int timeout_ms) {
  bool woken = false;
  const int count =
      ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()), backlog_ ? 0 : timeout_ms);
  for (int i = 0; i < count; ++i) {
    const auto name = events_[static_cast<std::size_t>(i)].data.u64;
    if (name == kWake) {
      woken = true;
    } else {
      ready_[name] = 1;
    }
  }
  return woken;
}

template <class Port, class Work>
void PacketLoop::receive_from(std::vector<Port>& ports, std::size_t first, Work work) {
  for (std::size_t i = 0; i < ports.size(); ++i) {
    auto& ready = ready_[first + i];
    if (ready == 0) continue;
    if (const auto burst = ports[i].recv_burst(); !burst.empty()) {
      bursts_.add();
      received_ = true;
      work(ports[i], burst);
    }
    ready = has_more(ports[i]) ? 1 : 0;
    backlog_ |= ready != 0;
  }
}

bool PacketLoop::receive(Instant now) {
  backlog_ = false;
  received_ = false;
  std::size_t first = 0;
  receive_from(ports_.ike, first, [&](const transport::UdpPort& port, std::span<transport::RxPacket> burst) {
    pipeline_->from_ike(burst, port.local().port, now);
  });
  first += ports_.ike.size();
  receive_from(ports_.natt, first, [&](const transport::UdpPort& port, std::span<transport::RxPacket> burst) {
    pipeline_->from_clients(burst, port.local().port, now, out_);
    send();
  });
  first += ports_.natt.size();
  receive_from(ports_.raw, first, [&](const transport::RawEspPort&, std::span<transport::RxPacket> burst) {
    pipeline_->from_clients_raw(burst, now, out_);
    send();
  });
  first += ports_.raw.size();
  receive_from(ports_.channel, first, [&](const transport::UdpPort&, std::span<transport::RxPacket> burst) {
    pipeline_->from_agents(burst, now, out_);
    send();
  });
  return received_;
}

void PacketLoop::from_stream(std::span<transport::RxPacket> packets, Instant now) {
  bursts_.add();
  pipeline_->from_agents(packets, now, out_, true);
  send();
}

void PacketLoop::apply(Command command, Instant now) {
  pipeline_->apply(std::move(command), now, out_);
  send();
}

void PacketLoop::on_timeout(Instant now) {
  pipeline_->on_timeout(now, out_);
  send();
}

// Hands runs of packets for the same socket to it in one call; the socket makes segmented calls of those.
void PacketLoop::send() {
  const auto packets = out_.packets();
  for (std::size_t from = 0; from < packets.size();) {
    const auto& first = packets[from];
    if (first.exit == Exit::kAgentStream) {
      if (stream_) stream_(first.backend, first.packet.data);
      ++from;
      continue;
    }
    if (first.exit == Exit::kAgentWhole) {
      ports_.channel.front().send_whole(first.packet);
      ++from;
      continue;
    }
    std::size_t to = from;
    run_.clear();
    const auto same = [&](const Outgoing& other) {
      return other.exit == first.exit &&
             (first.exit == Exit::kAgent || other.packet.local == first.packet.local);
    };
    while (to < packets.size() && same(packets[to])) run_.push_back(packets[to++].packet);
    send_run(first.exit, run_);
    from = to;
  }
  out_.clear();
}

void PacketLoop::send_run(Exit exit, std::span<const transport::TxPacket> run) {
  if (exit == Exit::kAgent) {
    ports_.channel.front().send_burst(run);
    return;
  }
  const auto matches = [&](const auto& port) { return port.local().address == run.front().local; };
  const auto port = std::find_if(ports_.natt.begin(), ports_.natt.end(), matches);
  if (exit == Exit::kClientUdp) {
    (port == ports_.natt.end() ? ports_.natt.front() : *port).send_burst(run);
    return;
  }
  const auto index = static_cast<std::size_t>(port - ports_.natt.begin());
  if (index < ports_.raw.size()) ports_.raw[index].send_burst(run);
}

}  // namespace sluice::edge
