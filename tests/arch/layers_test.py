#!/usr/bin/env python3
"""The layer check itself: it passes what is allowed and catches what is not."""
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import check_layers  # noqa: E402


class LayerCheck(unittest.TestCase):
    def problems(self, name: str, text: str) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.parent.mkdir(parents=True)
            file.write_text(text)
            return check_layers.check(Path(folder))

    def test_core_may_use_base(self) -> None:
        self.assertEqual([], self.problems("l2tp/avp.hpp", '#include "base/bytes.hpp"\n#include <span>\n'))

    def test_core_must_not_see_another_core(self) -> None:
        self.assertEqual(1, len(self.problems("l2tp/avp.hpp", '#include "ppp/lcp.hpp"\n')))

    def test_core_must_not_see_asio_sockets_threads_or_logger(self) -> None:
        for header in ("boost/asio.hpp", "sys/socket.h", "thread", "spdlog/spdlog.h", "mutex"):
            self.assertEqual(1, len(self.problems("esp/sa.cpp", f"#include <{header}>\n")), header)

    def test_core_must_not_read_a_clock(self) -> None:
        self.assertEqual(1, len(self.problems("ppp/lcp.cpp", "auto t = std::chrono::steady_clock::now();\n")))

    def test_base_must_not_see_its_shell(self) -> None:
        self.assertEqual(1, len(self.problems("base/ip.cpp", '#include "base/app/clock.hpp"\n')))

    def test_edge_must_not_see_the_agent(self) -> None:
        self.assertEqual(1, len(self.problems("edge/relay/a.cpp", '#include "backend-agent/pool/pool.hpp"\n')))

    def test_control_tool_must_not_see_the_daemon(self) -> None:
        self.assertEqual(1, len(self.problems("edge/ctl/main.cpp", '#include "edge/dataplane/worker.hpp"\n')))


if __name__ == "__main__":
    unittest.main()
