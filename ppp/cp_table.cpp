// The state transition table of RFC 1661 §4.1, row by row as it is printed there.

#include <array>

#include "ppp/cp.hpp"

namespace sluice::ppp {
namespace {

constexpr std::size_t kStates = 10;
constexpr std::size_t kEvents = 16;

constexpr std::uint16_t tlu = kActUp, tld = kActDown, tls = kActStarted, tlf = kActFinished, irc = kInitCount,
                        zrc = kZeroCount, scr = kSendRequest, sca = kSendAck, scn = kSendNak,
                        str = kSendTerminate, sta = kSendTerminateAck, scj = kSendCodeReject,
                        ser = kSendEchoReply;

struct Cell {
  std::uint16_t actions = 0;
  std::uint8_t next = 0;
};
constexpr Cell stay(std::uint8_t state) {
  return {0, state};
}
constexpr Cell go(unsigned actions, std::uint8_t next) {
  return {static_cast<std::uint16_t>(actions), next};
}
using Row = std::array<Cell, kStates>;

// clang-format off
constexpr std::array<Row, kEvents> kTable{{
    // 0 Initial    1 Starting       2 Closed     3 Stopped            4 Closing   5 Stopping  6 Req-Sent        7 Ack-Rcvd        8 Ack-Sent        9 Opened
    /* Up    */ {{stay(2),      go(irc|scr,6),   stay(2),         stay(3),             stay(4),    stay(5),    stay(6),         stay(7),         stay(8),         stay(9)}},
    /* Down  */ {{stay(0),      stay(1),         stay(0),         go(tls,1),           stay(0),    stay(1),    stay(1),         stay(1),         stay(1),         go(tld,1)}},
    /* Open  */ {{go(tls,1),    stay(1),         go(irc|scr,6),   stay(3),             stay(5),    stay(5),    stay(6),         stay(7),         stay(8),         stay(9)}},
    /* Close */ {{stay(0),      go(tlf,0),       stay(2),         stay(2),             stay(4),    stay(4),    go(irc|str,4),   go(irc|str,4),   go(irc|str,4),   go(tld|irc|str,4)}},
    /* TO+   */ {{stay(0),      stay(1),         stay(2),         stay(3),             go(str,4),  go(str,5),  go(scr,6),       go(scr,6),       go(scr,8),       stay(9)}},
    /* TO-   */ {{stay(0),      stay(1),         stay(2),         stay(3),             go(tlf,2),  go(tlf,3),  go(tlf,3),       go(tlf,3),       go(tlf,3),       stay(9)}},
    /* RCR+  */ {{stay(0),      stay(1),         go(sta,2),       go(irc|scr|sca,8),   stay(4),    stay(5),    go(sca,8),       go(sca|tlu,9),   go(sca,8),       go(tld|scr|sca,8)}},
    /* RCR-  */ {{stay(0),      stay(1),         go(sta,2),       go(irc|scr|scn,6),   stay(4),    stay(5),    go(scn,6),       go(scn,7),       go(scn,6),       go(tld|scr|scn,6)}},
    /* RCA   */ {{stay(0),      stay(1),         go(sta,2),       go(sta,3),           stay(4),    stay(5),    go(irc,7),       go(scr,6),       go(irc|tlu,9),   go(tld|scr,6)}},
    /* RCN   */ {{stay(0),      stay(1),         go(sta,2),       go(sta,3),           stay(4),    stay(5),    go(irc|scr,6),   go(scr,6),       go(irc|scr,8),   go(tld|scr,6)}},
    /* RTR   */ {{stay(0),      stay(1),         go(sta,2),       go(sta,3),           go(sta,4),  go(sta,5),  go(sta,6),       go(sta,6),       go(sta,6),       go(tld|zrc|sta,5)}},
    /* RTA   */ {{stay(0),      stay(1),         stay(2),         stay(3),             go(tlf,2),  go(tlf,3),  stay(6),         stay(6),         stay(8),         go(tld|scr,6)}},
    /* RUC   */ {{stay(0),      stay(1),         go(scj,2),       go(scj,3),           go(scj,4),  go(scj,5),  go(scj,6),       go(scj,7),       go(scj,8),       go(scj,9)}},
    /* RXJ+  */ {{stay(0),      stay(1),         stay(2),         stay(3),             stay(4),    stay(5),    stay(6),         stay(6),         stay(8),         stay(9)}},
    /* RXJ-  */ {{stay(0),      stay(1),         go(tlf,2),       go(tlf,3),           go(tlf,2),  go(tlf,3),  go(tlf,3),       go(tlf,3),       go(tlf,3),       go(tld|irc|str,5)}},
    /* RXR   */ {{stay(0),      stay(1),         stay(2),         stay(3),             stay(4),    stay(5),    stay(6),         stay(7),         stay(8),         go(ser,9)}},
}};
// clang-format on

constexpr std::array<std::string_view, kStates> kNames{"Initial",  "Starting", "Closed",   "Stopped",
                                                       "Closing",  "Stopping", "Req-Sent", "Ack-Rcvd",
                                                       "Ack-Sent", "Opened"};

}  // namespace

CpStep cp_step(CpState state, CpEvent event) {
  const Cell cell = kTable[static_cast<std::size_t>(event)][static_cast<std::size_t>(state)];
  return {static_cast<CpState>(cell.next), cell.actions};
}

std::string_view to_string(CpState state) {
  return kNames[static_cast<std::size_t>(state)];
}

}  // namespace sluice::ppp
