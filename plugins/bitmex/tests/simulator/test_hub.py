"""Each update is encoded once per table and filter, however many sockets listen."""

import asyncio
from collections import Counter

import pytest
from hbkit_bitmex.simulator import hub

TOPICS = ("trade:XBTUSD", "quote:XBTUSD", "orderBookL2_25:XBTUSD", "instrument:XBTUSD", "trade:XBTUSDT")


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
def test_an_update_is_encoded_once_for_one_socket_and_for_fifty(at_the_desk, monkeypatch, private):
    encode = hub.encode

    def counted(sockets):
        encoded = Counter()

        def counting(frame):
            encoded[frame["table"]] += 1
            return encode(frame)

        async def story(desk):
            topics = ("order", "execution", "margin") if private else TOPICS
            opened = [await desk.socket(*topics, key="demo" if private else None) for _ in range(sockets)]
            await asyncio.sleep(1)  # a whole second: all of them begin at the same rows of the tape
            encoded.clear()
            before = [len(socket.frames) for socket in opened]
            if private:
                for number in range(5):
                    await desk.place(side="Buy", orderQty=100, price=8000 + number)
            else:
                await desk.raw("POST", "/control/clock", '{"advance": 5}')
            await asyncio.sleep(0.001)
            got = [len(socket.frames) - count for socket, count in zip(opened, before, strict=True)]
            return dict(encoded), got

        monkeypatch.setattr(hub, "encode", counting)
        return at_the_desk(story)

    one, got_one = counted(1)
    fifty, got_fifty = counted(50)
    assert one == fifty
    assert sum(one.values()) == got_one[0] > 10
    assert got_fifty == got_one * 50
