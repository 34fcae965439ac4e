#include "proto/channel/data_frame.hpp"

namespace sluice::channel {

std::string_view to_string(DataFrameError error) {
  switch (error) {
    case DataFrameError::kNextHeader:
      return "next header is neither relay nor keepalive";
    case DataFrameError::kTooShort:
      return "no room for a relay id and an L2TP header";
    case DataFrameError::kNoRelay:
      return "relay id 0";
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
  if (!relay) return Failure{DataFrameError::kNoRelay};
  return DataFrame{relay, payload.subspan(kRelayHeader)};
}

}  // namespace sluice::channel
