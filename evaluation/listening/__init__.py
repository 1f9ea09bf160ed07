"""Listening tests: a web page on which people rate music blindly, and the analysis of their answers.

* :func:`~d2m.evaluation.listening.make.make_test` builds the page from folders of clips, one folder per system;
* :class:`~d2m.evaluation.listening.server.ListeningServer` serves it and collects the answers (the page also works from
  disk, with the answers saved to a file);
* :func:`~d2m.evaluation.listening.analysis.analyse` computes means, intervals, tests between systems, and the agreement
  of the listeners.

Mean opinion scores are collected as by D2M-GAN (Zhu et al. 2022, section 4.2) and MuseGAN (Dong et al. 2018, section
6.3); anchors follow ITU-R BS.1534-3 (MUSHRA), which hides a low-passed one among the clips.
"""
