"""Listening tests: a web page on which people rate music blindly, and what their answers mean.

* :func:`~d2m.evaluation.listening.make.make_test` builds the page from folders of clips, one folder a system;
* :class:`~d2m.evaluation.listening.server.ListeningServer` shows it to people and collects their answers (it also works
  from disk, with the answers saved to a file);
* :func:`~d2m.evaluation.listening.analysis.analyse` gives means, intervals, tests between systems, and how far
  the listeners agree.

Mean opinion scores as D2M-GAN (Zhu et al. 2022, section 4.2) and MuseGAN (Dong et al. 2018, section 6.3) collect
them; anchors after ITU-R BS.1534-3 (MUSHRA), which hides a low-passed one among the clips.
"""
