#include "backend-agent/radius/accounting.hpp"

#include <algorithm>
#include <array>

#include "base/app/log.hpp"
#include "base/time_left.hpp"

namespace sluice::agent {
namespace {

namespace attr = radius::attr;
namespace value = radius::value;
using radius::TerminateCause;

constexpr Duration kMaxPause = std::chrono::minutes(5);

struct Row {
  std::string_view cause;
  TerminateCause code;
};
constexpr std::array kCauses{
    Row{"user-request", TerminateCause::kUserRequest},
    Row{"echo-timeout", TerminateCause::kLostCarrier},
    Row{"l2tp-timeout", TerminateCause::kLostCarrier},
    Row{"lcp-timeout", TerminateCause::kLostCarrier},
    Row{"tunnel-closed", TerminateCause::kLostService},
    Row{"tunnel-replaced", TerminateCause::kLostService},
    Row{"channel-lost", TerminateCause::kLostService},
    Row{"idle-timeout", TerminateCause::kIdleTimeout},
    Row{"session-timeout", TerminateCause::kSessionTimeout},
    Row{"admin-reset", TerminateCause::kAdminReset},
    Row{"replaced", TerminateCause::kNasRequest},
    Row{"agent-stopping", TerminateCause::kAdminReboot},
    Row{"protocol-error", TerminateCause::kUserError},
    Row{"loopback", TerminateCause::kPortError},
};

/// The low 32 bits in one attribute, the rest in another (RFC 2869 §5.1, §5.2).
void add_octets(radius::Draft& draft, radius::AttributeType octets, radius::AttributeType gigawords,
                std::uint64_t count) {
  draft.add(octets, static_cast<std::uint32_t>(count));
  if (count >> 32 != 0) draft.add(gigawords, static_cast<std::uint32_t>(count >> 32));
}

void add_counters(radius::Draft& draft, const SessionCounters& c, std::chrono::seconds lasted) {
  draft.add(attr::kAcctSessionTime, static_cast<std::uint32_t>(lasted.count()));
  add_octets(draft, attr::kAcctInputOctets, attr::kAcctInputGigawords, c.bytes_in);
  add_octets(draft, attr::kAcctOutputOctets, attr::kAcctOutputGigawords, c.bytes_out);
  draft.add(attr::kAcctInputPackets, static_cast<std::uint32_t>(c.packets_in));
  draft.add(attr::kAcctOutputPackets, static_cast<std::uint32_t>(c.packets_out));
}

/// RFC 3162 §2.3, RFC 4818 §2: reserved, length, the whole address.
void add_prefix(radius::Draft& draft, radius::AttributeType type, const std::optional<Prefix>& prefix) {
  if (!prefix) return;
  ByteVector raw{0, prefix->length};
  raw.insert(raw.end(), prefix->network.bytes().begin(), prefix->network.bytes().end());
  draft.add(type, raw);
}

std::chrono::seconds whole_seconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration);
}

}  // namespace

TerminateCause terminate_cause(std::string_view cause) {
  const auto row =
      std::find_if(kCauses.begin(), kCauses.end(), [&](const Row& r) { return r.cause == cause; });
  return row == kCauses.end() ? TerminateCause::kNasError : row->code;
}

radius::Draft Accounting::draft(const AccountedSession& facts, std::uint32_t status) const {
  radius::Draft out(radius::Code::kAccountingRequest);
  out.add(attr::kAcctStatusType, status);
  add_nas(out, context_.nas);
  add_caller(out, facts.user, facts.caller);
  out.add(attr::kAcctAuthentic, facts.by_radius ? value::kAuthenticRadius : value::kAuthenticLocal);
  if (!facts.address.is_unspecified()) out.add(attr::kFramedIpAddress, facts.address);
  add_prefix(out, attr::kFramedIpv6Prefix, facts.ipv6_prefix);
  add_prefix(out, attr::kDelegatedIpv6Prefix, facts.delegated_prefix);
  for (const auto& one : facts.classes) out.add(attr::kClass, one);
  return out;
}

void Accounting::start(AccountedSession facts, Instant now) {
  auto out = draft(facts, value::kAcctStart);
  out.add(attr::kEventTimestamp, static_cast<std::uint32_t>(context_.unix_seconds()));
  context_.send(std::move(out), [](bool) {});
  resume(std::move(facts), std::chrono::seconds(0), now);
}

void Accounting::resume(AccountedSession facts, std::chrono::seconds lasted, Instant now) {
  Session& session = sessions_[facts.caller.session];
  session.facts = std::move(facts);
  session.started = instant_ago(lasted, now);
  plan_interim(session, now);
}

void Accounting::set_classes(SessionSerial serial, std::vector<ByteVector> classes) {
  const auto found = sessions_.find(serial);
  if (found != sessions_.end()) found->second.facts.classes = std::move(classes);
}

/// Up to a tenth later or sooner, so that sessions that began together do not report together for ever.
void Accounting::plan_interim(Session& session, Instant now) {
  session.interim_at.reset();
  if (session.facts.interim.count() == 0) return;
  constexpr std::uint32_t kSteps = 2001;
  const auto step = static_cast<std::int64_t>(context_.random.u32() % kSteps) - kSteps / 2;
  session.interim_at = now + session.facts.interim + Duration(session.facts.interim) / 10'000 * step;
}

void Accounting::set_interim(SessionSerial serial, std::chrono::seconds interval, Instant now) {
  const auto found = sessions_.find(serial);
  if (found == sessions_.end()) return;
  found->second.facts.interim = interval;
  plan_interim(found->second, now);
}

void Accounting::counters(SessionSerial serial, const SessionCounters& counters, Instant now) {
  const auto found = sessions_.find(serial);
  if (found == sessions_.end()) return;
  auto out = draft(found->second.facts, value::kAcctInterim);
  add_counters(out, counters, whole_seconds(now - found->second.started));
  out.add(attr::kEventTimestamp, static_cast<std::uint32_t>(context_.unix_seconds()));
  context_.send(std::move(out), [](bool) {});
}

void Accounting::stop(SessionSerial serial, std::string_view cause, const SessionCounters& counters,
                      Instant now) {
  const auto found = sessions_.find(serial);
  if (found == sessions_.end()) return;
  now_ = now;
  Record record;
  record.facts = std::move(found->second.facts);
  record.terminate_cause = static_cast<std::uint32_t>(terminate_cause(cause));
  record.counters = counters;
  record.lasted = whole_seconds(now - found->second.started);
  record.ended = context_.unix_seconds();
  sessions_.erase(found);
  send_stop(std::move(record));
}

void Accounting::send_stop(Record record) {
  const std::int64_t delay = std::max<std::int64_t>(0, context_.unix_seconds() - record.ended);
  auto out = draft(record.facts, value::kAcctStop);
  add_counters(out, record.counters, record.lasted);
  out.add(attr::kAcctTerminateCause, record.terminate_cause);
  out.add(attr::kEventTimestamp, static_cast<std::uint32_t>(record.ended));
  out.add(attr::kAcctDelayTime, static_cast<std::uint32_t>(delay));
  ++under_way_;
  context_.send(std::move(out), [this, kept = std::move(record)](bool taken) mutable {
    --under_way_;
    if (!taken) keep(std::move(kept));
  });
}

/// What is owed for longest goes first when there is no room.
void Accounting::keep(Record record) {
  if (kept_.size() >= context_.max_kept) {
    if (lost_++ == 0) {
      app::log_error("radius.records-lost",
                     "accounting records are lost: no server takes them and no more can be kept",
                     {app::LogField("kept", kept_.size())});
    }
    kept_.pop_front();
  }
  record.due = now_ + record.pause;
  record.pause = std::min(record.pause * 2, kMaxPause);
  kept_.push_back(std::move(record));
}

void Accounting::announce(bool on) {
  radius::Draft out(radius::Code::kAccountingRequest);
  out.add(attr::kAcctStatusType, on ? value::kAcctOn : value::kAcctOff);
  add_nas(out, context_.nas);
  out.add(attr::kAcctSessionId, "0");
  out.add(attr::kEventTimestamp, static_cast<std::uint32_t>(context_.unix_seconds()));
  context_.send(std::move(out), [](bool) {});
}

void Accounting::send_kept() {
  for (auto& record : std::exchange(kept_, {})) send_stop(std::move(record));
}

void Accounting::on_timeout(Instant now) {
  now_ = now;
  for (auto& [serial, session] : sessions_) {
    if (!session.interim_at || *session.interim_at > now) continue;
    plan_interim(session, now);
    context_.ask_counters(serial);
  }
  for (std::size_t left = kept_.size(); left > 0; --left) {
    Record record = std::move(kept_.front());
    kept_.pop_front();
    if (record.due <= now) {
      send_stop(std::move(record));
    } else {
      kept_.push_back(std::move(record));
    }
  }
}

}  // namespace sluice::agent
