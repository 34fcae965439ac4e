// link: sluice_edge_dataplane
// The IKE view stays inside the message, and the guard passes judgement on whatever comes.
#include <cstdlib>

#include "edge/dataplane/ike_guard.hpp"
#include "edge/dataplane/ike_view.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  using namespace sluice::edge;
  // A copy of exact size, so that a sanitizer sees a read behind it.
  const ByteVector message(data, data + size);
  const auto view = view_ike(message);
  if (view && (size < kIkeHeaderSize || view->initiator_spi == 0 || (!view->first() && view->cookie != 0)))
    std::abort();
  static IkeGuard guard{IkeLimits{}};
  static Instant now{};
  now += std::chrono::milliseconds(100);
  const auto source = IpAddress::v4(static_cast<std::uint32_t>(size));
  if (view) guard.expect(source, view->token());
  const auto verdict = guard.admit(source, message, now);
  if (!view && verdict.drop != IkeDrop::kMalformed) std::abort();
  if (view && view->token() != 0 && !verdict.proven && !(view->first() && view->response)) std::abort();
  return 0;
}
