//! What is promised of the order in which a request passes its rooms.
