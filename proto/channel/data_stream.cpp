#include "proto/channel/data_stream.hpp"

#include <algorithm>
#include <utility>

namespace sluice::channel {

std::string_view to_string(StreamError error) {
  switch (error) {
    case StreamError::kBadLength:
      return "a record of no known kind";
    case StreamError::kNoToken:
      return "the token is missing or comes twice";
    case StreamError::kBadCredit:
      return "credit for what was never sent";
    case StreamError::kCount:
      break;
  }
  return "";
}

DataStream::DataStream(const StreamToken& token) : accepting_(false) {
  out_.resize(kRecordHeader + kTokenBytes);
  ByteWriter writer(out_);
  writer.u16(kTokenBytes);
  writer.bytes(token);
}

bool DataStream::send(Bytes records, std::size_t frames) {
  if (under_way() + records.size() > kWindow) {
    counts_.add(StreamCount::kNoCredit, frames);
    return false;
  }
  sent_ += records.size();
  counts_.add(StreamCount::kFramesOut, frames);
  out_.insert(out_.end(), records.begin(), records.end());
  return true;
}

Result<Bytes, StreamError> DataStream::on_bytes(Bytes bytes) {
  taken_.clear();
  in_.insert(in_.end(), bytes.begin(), bytes.end());
  Bytes rest(in_);
  while (rest.size() >= kRecordHeader) {
    const std::size_t length = load_be16(rest.data());
    if (length > kMaxStreamFrame) return Failure{StreamError::kBadLength};
    if (rest.size() < kRecordHeader + length) break;
    if (const auto error = take(rest.first(kRecordHeader + length))) return Failure{*error};
    rest = rest.subspan(kRecordHeader + length);
  }
  in_.erase(in_.begin(), in_.end() - static_cast<std::ptrdiff_t>(rest.size()));
  received_ += taken_.size();
  if (received_ - given_ >= kCreditStep) give_credit();
  return Bytes(taken_);
}

std::optional<StreamError> DataStream::take(Bytes record) {
  const Bytes body = record.subspan(kRecordHeader);
  if (body.size() == kTokenBytes) {
    if (!accepting_ || token_) return StreamError::kNoToken;
    std::copy(body.begin(), body.end(), token_.emplace().begin());
    return std::nullopt;
  }
  if (accepting_ && !token_) return StreamError::kNoToken;
  if (body.size() == kCreditBytes) return take_credit(load_be64(body.data()));
  if (body.size() < kMinStreamFrame) return StreamError::kBadLength;
  counts_.add(StreamCount::kFramesIn);
  taken_.insert(taken_.end(), record.begin(), record.end());
  return std::nullopt;
}

std::optional<StreamError> DataStream::take_credit(std::uint64_t taken) {
  if (taken > sent_ || taken < credited_) return StreamError::kBadCredit;
  credited_ = taken;
  return std::nullopt;
}

void DataStream::give_credit() {
  given_ = received_;
  std::array<std::uint8_t, kRecordHeader + kCreditBytes> record{};
  ByteWriter writer(record);
  writer.u16(kCreditBytes);
  writer.u64(given_);
  out_.insert(out_.end(), record.begin(), record.end());
}

}  // namespace sluice::channel
