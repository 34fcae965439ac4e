#include "backend-agent/lns/dispatch.hpp"

#include <cassert>

namespace sluice::agent {
namespace {

struct Dispatch {
  std::uint32_t workers;
  const std::function<void(std::uint32_t, Command)>& to;

  template <class T>
  void to_one(std::uint32_t worker, T&& command) const {
    assert(worker < workers);
    to(worker, std::forward<T>(command));
  }
  template <class T>
  void to_all(const T& command) const {
    for (std::uint32_t worker = 0; worker < workers; ++worker) to(worker, T(command));
  }

  /// Keys are for the one worker that uses them.
  void operator()(InstallPaths& install) const {
    std::vector<InstallPaths> parts;
    for (std::uint32_t worker = 0; worker < workers; ++worker)
      parts.push_back({install.channel, install.edge, install.local, {}, install.carrier});
    for (auto& keys : install.keys) parts.at(keys.path.agent_worker).keys.push_back(std::move(keys));
    for (std::uint32_t worker = 0; worker < workers; ++worker) to(worker, std::move(parts[worker]));
  }

  void operator()(OpenTunnel& open) const { to_one(open.spec.agent_worker, std::move(open)); }
  void operator()(AuthDecided& decided) const { to_one(worker_of(decided.session), std::move(decided)); }
  void operator()(ChangePolicy& change) const { to_one(worker_of(change.session), std::move(change)); }
  void operator()(const AskCounters& ask) const { to_one(worker_of(ask.session), AskCounters(ask)); }
  void operator()(EndSession& end) const { to_one(worker_of(end.session), std::move(end)); }

  // A key names one tunnel among all workers: those that do not have it pass these over.
  void operator()(const CloseTunnel& close) const { to_all(close); }
  void operator()(const EndTunnel& end) const { to_all(end); }
  void operator()(const RebindTunnel& rebind) const { to_all(rebind); }

  void operator()(const RemoveChannel& remove) const { to_all(remove); }
  void operator()(const HoldChannel& hold) const { to_all(hold); }
  void operator()(const DescribeTunnels& describe) const { to_all(describe); }
  void operator()(const SetProfile& set) const { to_all(set); }
  void operator()(const CloseAll& all) const { to_all(all); }
  void operator()(const StopWorker& stop) const { to_all(stop); }
};

}  // namespace

void dispatch(Command command, std::uint32_t workers,
              const std::function<void(std::uint32_t worker, Command)>& to) {
  std::visit(Dispatch{workers, to}, command);
}

}  // namespace sluice::agent
