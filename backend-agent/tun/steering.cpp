#include "backend-agent/tun/steering.hpp"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace sluice::agent {
namespace {

constexpr std::uint32_t kMaxPrefixes = 1U << 20;
constexpr std::uint32_t kV4Bits = 96;  ///< an IPv4 address is looked up as ::ffff:a.b.c.d

/// As the kernel's trie wants it.
struct Key {
  std::uint32_t length = 0;
  std::array<std::uint8_t, 16> address{};
};
static_assert(sizeof(Key) == 20);

Key key_of(const Prefix& prefix) {
  Key out;
  const Bytes bytes = prefix.network.bytes();
  const bool v6 = prefix.network.is_v6();
  out.length = prefix.length + (v6 ? 0 : kV4Bits);
  if (!v6) out.address[10] = out.address[11] = 0xff;
  std::copy(bytes.begin(), bytes.end(), out.address.end() - static_cast<std::ptrdiff_t>(bytes.size()));
  return out;
}

int bpf(bpf_cmd command, bpf_attr& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}
std::uint64_t pointer(const void* p) {
  return reinterpret_cast<std::uintptr_t>(p);
}
std::string with_errno(const std::string& what) {
  return what + ": " + std::strerror(errno);
}

// ---- the program: its instructions by name

constexpr bpf_insn insn(int code, int to, int from, int offset, std::int32_t value) {
  bpf_insn out{};
  out.code = static_cast<__u8>(code);
  out.dst_reg = static_cast<__u8>(to & 0xf);
  out.src_reg = static_cast<__u8>(from & 0xf);
  out.off = static_cast<__s16>(offset);
  out.imm = value;
  return out;
}
constexpr bpf_insn move(int to, int from) {
  return insn(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0);
}
constexpr bpf_insn move_value(int to, std::int32_t value) {
  return insn(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value);
}
constexpr bpf_insn add_value(int to, std::int32_t value) {
  return insn(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value);
}
constexpr bpf_insn store_word(int offset, std::int32_t value) {
  return insn(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, offset, value);
}
constexpr bpf_insn call(std::int32_t helper) {
  return insn(BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}
constexpr bpf_insn jump(int over) {
  return insn(BPF_JMP | BPF_JA, 0, 0, over, 0);
}
constexpr bpf_insn jump_if(int op, int reg, std::int32_t value, int over) {
  return insn(BPF_JMP | op | BPF_K, reg, 0, over, value);
}

constexpr int kFrame = BPF_REG_10, kPacket = BPF_REG_6, kResult = BPF_REG_0;
/// On the stack: the key, and the packet's first byte in front of it.
constexpr int kKeyAt = -24, kAddressAt = kKeyAt + 4, kFirstAt = -32;

/// The destination (RFC 791 §3.1, RFC 8200 §3) is looked up; what is unknown or no IP goes to queue 0.
auto program(int map) {
  // Where jumps go; a jump counts from the instruction behind it.
  constexpr int kV6 = 22, kLookUp = 28, kUnknown = 37;
  return std::to_array<bpf_insn>({
      /*  0 */ move(kPacket, BPF_REG_1),
      /*  1 */ move_value(BPF_REG_2, 0),
      /*  2 */ move(BPF_REG_3, kFrame),
      /*  3 */ add_value(BPF_REG_3, kFirstAt),
      /*  4 */ move_value(BPF_REG_4, 1),
      /*  5 */ call(BPF_FUNC_skb_load_bytes),
      /*  6 */ jump_if(BPF_JNE, kResult, 0, kUnknown - 7),
      /*  7 */ store_word(kKeyAt, 128),
      /*  8 */ insn(BPF_LDX | BPF_MEM | BPF_B, BPF_REG_7, kFrame, kFirstAt, 0),
      /*  9 */ insn(BPF_ALU64 | BPF_RSH | BPF_K, BPF_REG_7, 0, 0, 4),
      /* 10 */ jump_if(BPF_JEQ, BPF_REG_7, 6, kV6 - 11),
      /* 11 */ jump_if(BPF_JNE, BPF_REG_7, 4, kUnknown - 12),
      /* 12 */ store_word(kAddressAt, 0),
      /* 13 */ store_word(kAddressAt + 4, 0),
      /* 14 */ store_word(kAddressAt + 8, static_cast<std::int32_t>(htonl(0xffff))),
      /* 15 */ move(BPF_REG_1, kPacket),
      /* 16 */ move_value(BPF_REG_2, 16),
      /* 17 */ move(BPF_REG_3, kFrame),
      /* 18 */ add_value(BPF_REG_3, kAddressAt + 12),
      /* 19 */ move_value(BPF_REG_4, 4),
      /* 20 */ call(BPF_FUNC_skb_load_bytes),
      /* 21 */ jump(kLookUp - 22),
      /* 22 */ move(BPF_REG_1, kPacket),
      /* 23 */ move_value(BPF_REG_2, 24),
      /* 24 */ move(BPF_REG_3, kFrame),
      /* 25 */ add_value(BPF_REG_3, kAddressAt),
      /* 26 */ move_value(BPF_REG_4, 16),
      /* 27 */ call(BPF_FUNC_skb_load_bytes),
      /* 28 */ jump_if(BPF_JNE, kResult, 0, kUnknown - 29),
      /* 29 */ insn(BPF_LD | BPF_DW | BPF_IMM, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map),
      /* 30 */ insn(0, 0, 0, 0, 0),
      /* 31 */ move(BPF_REG_2, kFrame),
      /* 32 */ add_value(BPF_REG_2, kKeyAt),
      /* 33 */ call(BPF_FUNC_map_lookup_elem),
      /* 34 */ jump_if(BPF_JEQ, kResult, 0, kUnknown - 35),
      /* 35 */ insn(BPF_LDX | BPF_MEM | BPF_W, kResult, kResult, 0, 0),
      /* 36 */ insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
      /* 37 */ move_value(kResult, 0),
      /* 38 */ insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  });
}

app::UniqueFd make_map() {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_LPM_TRIE;
  attributes.key_size = sizeof(Key);
  attributes.value_size = sizeof(std::uint32_t);
  attributes.max_entries = kMaxPrefixes;
  attributes.map_flags = BPF_F_NO_PREALLOC;
  return app::UniqueFd(bpf(BPF_MAP_CREATE, attributes));
}

app::UniqueFd load_program(int map) {
  const auto instructions = program(map);
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insns = pointer(instructions.data());
  attributes.insn_cnt = static_cast<__u32>(instructions.size());
  attributes.license = pointer("Apache-2.0");
  return app::UniqueFd(bpf(BPF_PROG_LOAD, attributes));
}

constexpr const char* kAdvice =
    ". Several workers need CAP_BPF (or CAP_SYS_ADMIN) and Linux 5.8; agent.workers = 1 does without";

}  // namespace

Result<Steering, std::string> Steering::attach(int queue) {
  auto map = make_map();
  if (!map) return Failure{with_errno("no table of clients for the kernel") + kAdvice};
  const auto loaded = load_program(map.get());
  if (!loaded) return Failure{with_errno("the kernel takes no program to pick a queue") + kAdvice};
  int fd = loaded.get();
  if (::ioctl(queue, TUNSETSTEERINGEBPF, &fd) != 0)
    return Failure{with_errno("the TUN device takes no program to pick a queue") + kAdvice};
  return Steering(std::move(map));
}

std::optional<std::string> Steering::set(const Prefix& prefix, std::uint32_t queue) {
  const Key key = key_of(prefix);
  bpf_attr attributes{};
  attributes.map_fd = static_cast<__u32>(map_.get());
  attributes.key = pointer(&key);
  attributes.value = pointer(&queue);
  attributes.flags = BPF_ANY;
  if (bpf(BPF_MAP_UPDATE_ELEM, attributes) != 0)
    return with_errno("packets for " + prefix.to_string() + " cannot be led to their worker");
  return std::nullopt;
}

void Steering::remove(const Prefix& prefix) {
  const Key key = key_of(prefix);
  bpf_attr attributes{};
  attributes.map_fd = static_cast<__u32>(map_.get());
  attributes.key = pointer(&key);
  bpf(BPF_MAP_DELETE_ELEM, attributes);
}

}  // namespace sluice::agent
