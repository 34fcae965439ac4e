// What comes from charon, by the sa-feed and by vici, on its way to the data plane and the edge.

#include <boost/asio/post.hpp>

#include "base/app/clock.hpp"
#include "base/app/log.hpp"
#include "edge/ike/charon_provider_impl.hpp"
#include "edge/ike/connections.hpp"

namespace sluice::edge {
namespace {

sf_status to_status(const std::optional<SaError>& error) {
  if (!error) return SF_OK;
  switch (*error) {
    case SaError::kNotFound:
      return SF_NOT_FOUND;
    case SaError::kNotSupported:
      return SF_NOT_SUPPORTED;
    case SaError::kFailed:
      return SF_FAILED;
  }
  return SF_FAILED;
}

/// Ports mean something where ESP goes in UDP only.
Endpoint outer(const Endpoint& endpoint, bool udp_encapsulated) {
  return Endpoint{endpoint.address, udp_encapsulated ? endpoint.port : std::uint16_t{0}};
}

}  // namespace

void CharonProvider::Impl::feed_connected(const feed::Hello& hello) {
  if (charon_boot && *charon_boot != hello.boot) {
    app::log_warning("ike.charon-new",
                     "charon started anew; SAs of the old one stay while their clients use them");
    release_reservations();
    numbers.charon_restarted();
    directions.clear();
    children.clear();
    failures.clear();
    adopted.clear();
    seen.clear();
    for (const auto& [id, peer] : std::exchange(peers, {})) events.ike_down(id);
  }
  charon_boot = hello.boot;
  for (const auto& [name, last] : asked) feed->send({0, feed::Reserve{name.second, name.first, last}});
  update_ready();
}

// Nobody will be told of the SAs of a charon that is gone, so their sequence numbers are this process's
// alone.
void CharonProvider::Impl::release_reservations() {
  asked.clear();
  directions.each_outbound([this](Spi spi, const IpAddress& destination) {
    data_plane.reserved(spi, Endpoint{destination, 0}, UINT64_MAX);
  });
}

void CharonProvider::Impl::on_reserved(const feed::Reserved& reserved) {
  const auto found = asked.find({reserved.spi, reserved.destination});
  if (found == asked.end()) return;
  if (reserved.known && found->second > reserved.last) return;  // an answer to an earlier question
  asked.erase(found);
  data_plane.reserved(reserved.spi, reserved.destination, reserved.known ? reserved.last : UINT64_MAX);
}

void CharonProvider::Impl::on_restored(const feed::Restored& restored) {
  if (restored.count + restored.failed > 0) {
    app::log_info("ike.sas-restored", "SAs taken over from the edge before",
                  {{"sas", restored.count}, {"refused", restored.failed}});
  }
  data_plane.restored(restored.count);
  // Only now, so that each IKE SA that vici lists finds its peer.
  if (std::exchange(vici_started, true)) return;
  vici->start();
}

void CharonProvider::Impl::feed_request(feed::Body& request, feed::Reply& reply) {
  if (auto* get_spi = std::get_if<feed::GetSpi>(&request)) return on_get_spi(*get_spi, reply);
  if (auto* add = std::get_if<feed::AddSa>(&request)) return on_add_sa(*add, reply);
  if (auto* update = std::get_if<feed::UpdateSa>(&request)) return on_update_sa(*update, reply);
  if (auto* query = std::get_if<feed::QuerySa>(&request)) return on_query_sa(*query, reply);
  if (auto* del = std::get_if<feed::DelSa>(&request)) return on_del_sa(*del, reply);
  if (std::holds_alternative<feed::Flush>(request)) {
    directions.clear();
    data_plane.flush();
  }
}

void CharonProvider::Impl::on_get_spi(const feed::GetSpi& request, feed::Reply& reply) {
  if (request.protocol != SF_PROTOCOL_ESP) {
    reply.status = SF_NOT_SUPPORTED;
    return;
  }
  if (bears_our_name(*config, request.peer_id)) {
    app::log_warning("ike.identity-clash", "a client that calls itself what a listener is called gets no SAs",
                     {{"client", request.source.to_string()}, {"identity", request.peer_id}});
    reply.status = SF_FAILED;
    return;
  }
  const auto spi = data_plane.allocate_spi(numbers.to_edge(request.ike_uid), request.peer_id,
                                           request.destination, request.source);
  reply.status = spi ? SF_OK : SF_FAILED;
  reply.spi = spi.value_or(Spi{});
}

void CharonProvider::Impl::on_add_sa(feed::AddSa& request, feed::Reply& reply) {
  SaSpec& spec = request.spec;
  if (request.protocol != SF_PROTOCOL_ESP || !spec.transport_mode) {
    reply.status = SF_NOT_SUPPORTED;
    return;
  }
  if (bears_our_name(*config, spec.peer_identity)) {
    reply.status = SF_FAILED;
    return;
  }
  spec.replay_window = 0;  // charon's default; how large it is is the data plane's to say
  const Spi spi = spec.spi;
  const Endpoint destination_endpoint = spec.destination;
  const IpAddress destination = spec.destination.address;
  const bool inbound = spec.inbound;
  feed::Alert refusal{.remote = inbound ? spec.source : spec.destination,
                      .ike_uid = spec.ike_sa.value(),
                      .cause = SF_CAUSE_INSTALL,
                      .ike_version = spec.ike_version,
                      .established = true,
                      .peer_id = spec.peer_identity};
  spec.ike_sa = numbers.to_edge(refusal.ike_uid);
  reply.status = to_status(data_plane.add_sa(std::move(spec)));
  if (reply.status == SF_OK) {
    directions.add(spi, destination, inbound);
    reply.note = data_plane.note_of(spi, inbound, destination_endpoint);
  } else if (refusal.ike_version == 1) {
    on_alert(refusal);  // for IKEv2 charon raises it
  }
}

void CharonProvider::Impl::on_update_sa(const feed::UpdateSa& request, feed::Reply& reply) {
  const auto& sa = request.sa;
  const bool encap = request.new_udp_encapsulated;
  const bool inbound = directions.inbound(sa.spi, sa.destination.address, sa.inbound);
  reply.status = to_status(data_plane.update_sa(sa.spi, inbound, outer(request.new_source, encap),
                                                outer(request.new_destination, encap), encap));
  if (reply.status == SF_OK) directions.move(sa.spi, sa.destination.address, request.new_destination.address);
}

void CharonProvider::Impl::on_query_sa(const feed::QuerySa& request, feed::Reply& reply) {
  const auto& sa = request.sa;
  const auto usage = data_plane.query_sa(
      sa.spi, directions.inbound(sa.spi, sa.destination.address, sa.inbound), sa.destination);
  reply.status = usage ? SF_OK : SF_NOT_FOUND;
  if (!usage) return;
  reply.bytes = usage->bytes;
  reply.packets = usage->packets;
  reply.last_use = usage->last_use_seconds;
}

void CharonProvider::Impl::on_del_sa(const feed::DelSa& request, feed::Reply& reply) {
  const auto& sa = request.sa;
  const bool inbound = directions.inbound(sa.spi, sa.destination.address, sa.inbound);
  directions.remove(sa.spi, sa.destination.address);
  std::erase_if(asked, [&](const auto& row) { return row.first.first == sa.spi; });
  reply.status = to_status(data_plane.remove_sa(sa.spi, inbound, sa.destination));
  if (!inbound) return;
  // A child that was replaced by a rekey goes without an event of its own.
  if (const auto child = children.take(sa.spi)) {
    boost::asio::post(io, [weak = weak_from_this(), child = *child] {
      const auto self = weak.lock();
      if (self && !self->stopped) self->events.child_down(child.ike_sa, child.inbound, child.outbound);
    });
  }
}

void CharonProvider::Impl::feed_message(const feed::Body& message) {
  if (const auto* ike = std::get_if<feed::IkeOut>(&message)) {
    return events.ike_send(ike->source, ike->destination, ike->marker, ike->datagram);
  }
  if (const auto* alert = std::get_if<feed::Alert>(&message)) return on_alert(*alert);
  if (const auto* adoption = std::get_if<feed::Adopted>(&message)) return on_adopted(*adoption);
  if (const auto* reserved = std::get_if<feed::Reserved>(&message)) return on_reserved(*reserved);
  if (const auto* done = std::get_if<feed::Restored>(&message)) return on_restored(*done);
}

void CharonProvider::Impl::on_alert(const feed::Alert& alert) {
  if (stopped) return;
  const auto failure = failures.on_alert(alert, app::now());
  if (failure) events.ike_failed(*failure);
}

void CharonProvider::Impl::on_adopted(const feed::Adopted& adoption) {
  const IkeSaId old_sa = numbers.to_edge(adoption.old_uid), new_sa = numbers.to_edge(adoption.new_uid);
  const auto known = peers.find(new_sa);
  if (known != peers.end()) {
    replace(old_sa, IkePeer(known->second));
  } else {
    adopted[new_sa] = old_sa;  // vici's news of the new one is still on its way
  }
}

void CharonProvider::Impl::replace(IkeSaId old_sa, const IkePeer& peer) {
  peers.erase(old_sa);
  seen.erase(old_sa);
  children.move(old_sa, peer.ike_sa);
  events.ike_rekeyed(old_sa, peer);
}

void CharonProvider::Impl::vici_ike_up(const IkePeer& told) {
  IkePeer peer = told;
  peer.ike_sa = numbers.to_edge(told.ike_sa.value());
  seen.insert(peer.ike_sa);
  if (!peers.emplace(peer.ike_sa, peer).second) return;
  events.ike_up(peer);
  if (const auto adoption = adopted.extract(peer.ike_sa)) replace(adoption.mapped(), peer);
}

void CharonProvider::Impl::vici_ike_down(std::uint32_t uid) {
  const IkeSaId id = numbers.to_edge(uid);
  seen.erase(id);
  if (peers.erase(id) > 0) events.ike_down(id);
}

void CharonProvider::Impl::vici_ike_rekeyed(std::uint32_t old_uid, const IkePeer& told) {
  IkePeer peer = told;
  peer.ike_sa = numbers.to_edge(told.ike_sa.value());
  seen.insert(peer.ike_sa);
  peers.insert_or_assign(peer.ike_sa, peer);
  replace(numbers.to_edge(old_uid), peer);
}

void CharonProvider::Impl::vici_child_up(std::uint32_t uid, Spi inbound, Spi outbound) {
  const IkeSaId id = numbers.to_edge(uid);
  if (children.add({id, inbound, outbound})) events.child_up(id, inbound, outbound);
}

void CharonProvider::Impl::vici_child_down(std::uint32_t, Spi inbound, Spi) {
  if (const auto child = children.take(inbound))
    events.child_down(child->ike_sa, child->inbound, child->outbound);
}

void CharonProvider::Impl::vici_ready() {
  // What charon no longer has ended while we were not connected.
  std::vector<IkeSaId> gone;
  for (const auto& [id, peer] : peers) {
    if (!seen.contains(id)) gone.push_back(id);
  }
  for (const IkeSaId id : gone) {
    peers.erase(id);
    events.ike_down(id);
  }
  update_ready();
}

void CharonProvider::Impl::vici_lost() {
  seen.clear();
  update_ready();
}

}  // namespace sluice::edge
