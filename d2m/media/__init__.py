"""Read video and sound by timestamps, and write sound beside an unchanged picture."""

from d2m.media.sound import read_audio
from d2m.media.video import Frame, Video, open_video
from d2m.media.write import mux, write_wav

__all__ = ["Frame", "Video", "mux", "open_video", "read_audio", "write_wav"]
