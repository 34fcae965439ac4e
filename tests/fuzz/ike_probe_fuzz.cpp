// link: sluice_edge_probe
// The probe reads any answer, takes none that is not to its handshake, and repeats its request with any
// cookie.
#include <cstdlib>

#include "edge/probe/ike_message.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sluice;
  using namespace sluice::edge;
  const ByteVector datagram(data, data + size);
  const std::uint64_t spi = size >= 8 ? load_be64(data) : 1;
  const auto answer = read_sa_init_answer(datagram, spi);
  if (!answer) return 0;
  if (size < 28) std::abort();
  if ((answer->outcome == SaInitOutcome::kCookie) != !answer->cookie.empty()) std::abort();
  if (answer->cookie.size() > 64) std::abort();
  if (read_sa_init_answer(datagram, spi + 1)) std::abort();
  // The request with this cookie is one that nobody takes for an answer.
  SaInit init;
  init.initiator_spi = spi | 1;
  init.cookie = answer->cookie;
  const auto request = write_sa_init(init);
  if (request.size() < 28 || load_be32(request.data() + 24) != request.size()) std::abort();
  if (read_sa_init_answer(request, init.initiator_spi)) std::abort();
  return 0;
}
