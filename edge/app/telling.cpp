// What the edge writes into its journal, and tells whoever listens on the operations socket. Thread: control.
#include <chrono>

#include "base/text.hpp"
#include "edge/admin/journal_commands.hpp"
#include "edge/app/edge.hpp"

namespace sluice::edge {
namespace {

std::int64_t unix_now_ms() {
  const auto since = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
}

JournalEntry entry_of(JournalKind kind, const std::string& correlation,
                      std::vector<JournalEntry::Detail> details = {}) {
  JournalEntry out;
  out.kind = kind;
  out.correlation = correlation;
  out.details = std::move(details);
  return out;
}

}  // namespace

void Edge::record(JournalEntry entry) {
  entry.time_ms = unix_now_ms();
  const auto added = journal_.add(std::move(entry));
  if (journal_commands_) journal_commands_->raise(*added);
}

void Edge::add_journal() {
  journal_commands_ = std::make_unique<JournalCommands>(
      operations_->server(),
      JournalHandlers{.state = *this, .journal = journal_, .kick = [this](const auto& request) {
                        return request.dry_run ? kicks_->endable(request.relays).size()
                                               : kicks_->begin(request.relays, request.rate, request.reason);
                      }});
}

void Edge::tell(const Notice& notice) {
  auto entry =
      entry_of(notice.topic == "drain" ? JournalKind::kDrain : JournalKind::kNotice, notice.correlation_id,
               {{"level", std::string(name_of(notice.level))}, {"topic", notice.topic}});
  entry.text = notice.text;
  record(std::move(entry));
  if (operations_) operations_->notice(notice);
}

void Edge::record_ike_packet(const Endpoint& remote) {
  // The probe's handshakes are no client's.
  if (!ike_probe_->is_ours(remote))
    journal_.ike_packet(contacts_.id_at(remote), remote.to_string(), unix_now_ms());
}

void Edge::record_ike_up(const Peer& peer, const IkePeer& ike) {
  record(entry_of(JournalKind::kIkeUp, peer.correlation_id,
                  {{"client", ike.remote.to_string()},
                   {"identity", ike.identity},
                   {"peer", std::to_string(peer.id.value())},
                   {"version", std::to_string(ike.version)},
                   {"proposal", ike.proposal},
                   {"nat", ike.nat ? "yes" : "no"},
                   {"edge", ike.local.to_string()}}));
}

void Edge::record_child_up(const Peer& peer, Spi inbound, Spi outbound) {
  if (peer.children.size() > 1) return journal_.child_rekeyed(peer.correlation_id);
  const auto cipher = peer.children.empty() ? "" : esp::suite(peer.children.back().suite).name;
  record(entry_of(JournalKind::kChildUp, peer.correlation_id,
                  {{"spi-in", to_hex_word(inbound.value())},
                   {"spi-out", to_hex_word(outbound.value())},
                   {"cipher", std::string(cipher)}}));
}

void Edge::record_moved(const Peer& peer, const Endpoint& from, const Endpoint& to) {
  record(entry_of(JournalKind::kMoved, peer.correlation_id,
                  {{"from", from.to_string()}, {"client", to.to_string()}}));
}

void Edge::record_ike_down(const Peer& peer) {
  record(entry_of(JournalKind::kIkeDown, peer.correlation_id));
}

void Edge::record_gone(const Peer& peer) {
  record(entry_of(JournalKind::kGone, peer.correlation_id));
}

void Edge::record_ike_failed(const std::string& id, const IkeFailure& failure) {
  auto entry = entry_of(JournalKind::kIkeFailed, id,
                        {{"client", failure.remote.to_string()}, {"identity", failure.identity}});
  entry.cause = failure.cause;
  entry.text = failure.text;
  entry.error = static_cast<unsigned>(failure.windows);
  record(std::move(entry));
}

void Edge::record_agent(const Backend& backend, JournalKind kind, const std::string& cause) {
  auto entry = entry_of(kind, "", {{"agent", backend.name}, {"remote", backend.remote.to_string()}});
  entry.text = cause;
  record(std::move(entry));
}

}  // namespace sluice::edge
