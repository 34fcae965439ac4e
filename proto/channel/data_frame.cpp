#include "proto/channel/data_frame.hpp"

namespace sluice::channel {

std::string_view to_string(DataFrameError error) {
  switch (error) {
    case DataFrameError::kNextHeader:
      return "next header is neither relay nor none";
    case DataFrameError::kTooShort:
      return "no room for a relay id and an L2TP header";
    case DataFrameError::kBadHello:
      return "relay id 0 and no hello of a known kind";
    case DataFrameError::kCount:
      break;
  }
  return "";
}

Result<DataFrame, DataFrameError> parse_data_frame(std::uint8_t next_header, MutableBytes payload) {
  if (next_header == kNextHeaderKeepalive) return DataFrame{};
  if (next_header != kNextHeaderRelay) return Failure{DataFrameError::kNextHeader};
  if (payload.size() < kRelayHeader + kMinL2tp) return Failure{DataFrameError::kTooShort};
  const RelayId relay(load_be32(payload.data()));
  if (relay) return DataFrame{.relay = relay, .l2tp = payload.subspan(kRelayHeader)};
  const auto hello = parse_hello(payload.subspan(kRelayHeader));
  if (!hello) return Failure{DataFrameError::kBadHello};
  return DataFrame{.relay = {}, .hello = *hello, .is_hello = true};
}

}  // namespace sluice::channel
