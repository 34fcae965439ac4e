// What the IKE daemon says of clients, in the tables, the counters, the log and the journal.
#include "base/app/clock.hpp"
#include "base/app/log.hpp"
#include "base/text.hpp"
#include "edge/app/edge.hpp"

namespace sluice::edge {

using app::LogField;

void Edge::ike_up(const IkePeer& ike) {
  peers_->ike_up(ike);
  const auto* peer = peers_->find(ike.ike_sa);
  ++counts_.ike_established;
  record_ike_up(*peer, ike);
  counts_.set_up.ike_up(peer->correlation_id, app::now());
  app::log_info("ike.sa-up", "IKE SA up",
                {LogField("id", peer->correlation_id), LogField("client", ike.remote.to_string()),
                 LogField("identity", ike.identity), LogField("version", ike.version),
                 LogField("nat", ike.nat), LogField("proposal", ike.proposal)});
}

void Edge::ike_rekeyed(IkeSaId old_sa, const IkePeer& ike) {
  peers_->ike_rekeyed(old_sa, ike);
  ++counts_.ike_rekeys;
  const auto* peer = peers_->find(ike.ike_sa);
  journal_.ike_rekeyed(peer->correlation_id);
  app::log_info("ike.sa-rekeyed", "IKE SA rekeyed",
                {LogField("id", peer->correlation_id), LogField("client", ike.remote.to_string())});
}

void Edge::ike_down(IkeSaId ike_sa) {
  if (const auto* peer = peers_->find(ike_sa)) {
    record_ike_down(*peer);
    app::log_info("ike.sa-down", "IKE SA down",
                  {LogField("id", peer->correlation_id), LogField("client", peer->remote.to_string()),
                   LogField("identity", peer->identity)});
  }
  peers_->ike_down(ike_sa);
}

void Edge::child_up(IkeSaId ike_sa, Spi inbound, Spi outbound) {
  if (const auto* peer = peers_->find(ike_sa)) {
    ++(peer->children.size() > 1 ? counts_.child_rekeys : counts_.child_established);
    record_child_up(*peer, inbound, outbound);
    app::log_info("ike.child-up", "child SA up",
                  {LogField("id", peer->correlation_id), LogField("client", peer->remote.to_string()),
                   LogField("spi_in", to_hex_word(inbound.value())),
                   LogField("spi_out", to_hex_word(outbound.value()))});
  }
}

void Edge::child_down(IkeSaId ike_sa, Spi inbound, Spi) {
  if (const auto* peer = peers_->find(ike_sa)) {
    app::log_info("ike.child-down", "child SA down",
                  {LogField("id", peer->correlation_id), LogField("client", peer->remote.to_string()),
                   LogField("spi_in", to_hex_word(inbound.value()))});
  }
}

void Edge::ike_failed(const IkeFailure& failure) {
  // The probe never finishes its handshakes.
  if (ike_probe_->is_ours(failure.remote)) return;
  counts_.ike_failures.add(failure.cause);
  const auto id = contacts_.id_at(failure.remote);
  const auto remote = failure.remote.to_string();
  app::log_warning("ike.failed", "IKE failed",
                   {LogField("id", id), LogField("client", remote), LogField("identity", failure.identity),
                    LogField("cause", failure.cause), LogField("text", failure.text)});
  record_ike_failed(id, failure);
  operations_->notice({.level = NoticeLevel::kWarning,
                       .topic = "ike",
                       .correlation_id = id,
                       .text = remote + " " + failure.cause + ": " + failure.text});
}

void Edge::ike_send(const Endpoint& local, const Endpoint& remote, bool marker, Bytes datagram) {
  const auto leave = contacts_.leaves(remote, datagram);
  if (!leave.allowed) return;
  // Before the datagram leaves, so that the worker knows when the answer to it comes.
  if (leave.token != 0) post(kIkeWorker, ExpectIke{remote.address, leave.token});
  capturing_->ike_out(local, remote, marker, datagram);
  ike_sender_.send(local, remote, marker, datagram);
}

void Edge::ike_ready(bool ready) {
  ike_ready_ = ready;
  if (ready) {
    app::log_info("ike.ready", "IKE ready");
  } else if (!stopping_) {
    app::log_warning("ike.not-ready",
                     "IKE not ready: no new client can connect until it is; established ones go on");
  }
}

}  // namespace sluice::edge
