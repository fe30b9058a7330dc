"""Parses a trace with the protobuf classes of PyPI's `perfetto` and checks its tracks, flows and times."""

import sys

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent

trace = Trace()
trace.ParseFromString(open(sys.argv[1], "rb").read())
tracks, begun, sent, received = {}, {}, {}, {}
last = 0
for packet in trace.packet:
    assert packet.trusted_packet_sequence_id == 1
    if packet.HasField("track_descriptor"):
        track = packet.track_descriptor
        assert track.uuid not in tracks
        tracks[track.uuid] = track.name
        continue
    event = packet.track_event
    assert event.track_uuid in tracks, event
    assert packet.timestamp >= last, "the events are in order"
    last = packet.timestamp
    if event.type == TrackEvent.TYPE_SLICE_BEGIN:
        assert event.track_uuid not in begun, "slices of a track do not overlap"
        begun[event.track_uuid] = packet.timestamp
        assert event.debug_annotations[0].name == "virtual_ns"
    elif event.type == TrackEvent.TYPE_SLICE_END:
        assert packet.timestamp > begun.pop(event.track_uuid)
    elif event.type == TrackEvent.TYPE_COUNTER:
        assert event.counter_value >= 0
    for flow in event.flow_ids:
        sent[flow] = packet.timestamp
    for flow in event.terminating_flow_ids:
        received[flow] = packet.timestamp
assert not begun
for name in sys.argv[2:]:
    assert name in tracks.values(), (name, tracks)
assert received and set(received) <= set(sent), "each flow that ends has begun"
assert all(received[flow] > sent[flow] for flow in received)
print(f"{len(trace.packet)} packets, {len(tracks)} tracks, {len(sent)} flows")
