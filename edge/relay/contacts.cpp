#include "edge/relay/contacts.hpp"

#include <algorithm>
#include <array>

#include "base/app/log.hpp"
#include "base/text.hpp"
#include "edge/dataplane/ike_view.hpp"

namespace sluice::edge {
namespace {

// An answer to IKE_SA_INIT names the CAs that we trust, which its question has no counterpart for: a header
// and a hash for each of five (RFC 7296 §3.7).
constexpr std::size_t kCertificateRequest = 5 + 5 * 20;

}  // namespace

Contacts::Contact& Contacts::contact(std::uint64_t initiator_spi, const Endpoint& remote) {
  const auto [at, fresh] = contacts_.try_emplace(initiator_spi);
  Contact& contact = at->second;
  if (fresh) {
    order_.push_back(initiator_spi);
    if (order_.size() > kMax) forget_oldest();
    contact.id = known_ ? known_(remote) : std::string();
    if (contact.id.empty()) {
      std::array<std::uint8_t, kIdBytes> raw{};
      random_.fill(raw);
      contact.id = to_hex(raw);
    }
  }
  if (fresh) {
    contact.first = contact.remote = remote;
    if (app::log_enabled(app::LogModule::kIke, app::LogLevel::kDebug)) {
      app::log_debug("ike.handshake", "a handshake begins",
                     {app::LogField("id", contact.id), app::LogField("client", remote.to_string())});
    }
  }
  // Whoever answers at one address says nothing of another: its packets may bear a victim's.
  if (contact.remote.address != remote.address) {
    contact.proven = false;
    contact.credit = 0;
  }
  // The client goes on to UDP 4500 in the middle of its handshake (RFC 3947 §4, RFC 7296 §2.23).
  if (contact.remote != remote && contact.remote != contact.first) unplace(contact.remote, initiator_spi);
  contact.remote = remote;
  by_place_[remote] = initiator_spi;
  return contact;
}

void Contacts::unplace(const Endpoint& place, std::uint64_t initiator_spi) {
  const auto at = by_place_.find(place);
  if (at != by_place_.end() && at->second == initiator_spi) by_place_.erase(at);
}

void Contacts::forget_oldest() {
  const auto at = contacts_.find(order_.front());
  order_.pop_front();
  unplace(at->second.first, at->first);
  unplace(at->second.remote, at->first);
  contacts_.erase(at);
}

void Contacts::arrived(const Endpoint& remote, Bytes message, bool proven) {
  const auto view = view_ike(message);
  if (!view) return;
  // What belongs to no handshake that we remember is an established SA's business.
  if (!view->first() && !contacts_.contains(view->initiator_spi)) return;
  Contact& from = contact(view->initiator_spi, remote);
  from.proven |= proven;
  from.credit += message.size();
}

Contacts::Leave Contacts::leaves(const Endpoint& remote, Bytes message) {
  const auto view = view_ike(message);
  if (!view) return {};
  const auto found = contacts_.find(view->initiator_spi);
  if (found == contacts_.end()) return {};
  Contact& to = found->second;
  if (to.proven) return {};
  const std::size_t more = view->major_version == 2 ? kCertificateRequest : 0;
  if (to.remote != remote || message.size() > to.credit + more) {
    too_large_.add();
    return {false, 0};
  }
  to.credit -= std::min(to.credit, message.size());
  return {true, view->token()};
}

std::string Contacts::id_at(const Endpoint& remote) const {
  const auto at = by_place_.find(remote);
  return at == by_place_.end() ? std::string() : contacts_.at(at->second).id;
}

}  // namespace sluice::edge
