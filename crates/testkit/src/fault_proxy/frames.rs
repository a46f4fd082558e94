//! PostgreSQL's messages from a client, as far as a proxy must tell them apart.

use std::collections::HashSet;

const SSL_REQUEST: [u8; 4] = 80_877_103_u32.to_be_bytes();
const GSS_REQUEST: [u8; 4] = 80_877_104_u32.to_be_bytes();

/// Cuts one connection's octets into messages and follows which of them let a wanted statement take effect.
pub(super) struct Frames {
    buffer: Vec<u8>,
    begun: bool,
    /// Names under which wanted statements were prepared on this connection.
    prepared: HashSet<Vec<u8>>,
    /// A wanted statement is bound and not yet synced.
    bound: bool,
}

/// One whole message.
pub(super) struct Frame {
    pub(super) octets: Vec<u8>,
    /// With this message a wanted statement commits.
    pub(super) decisive: bool,
}

impl Frames {
    pub(super) fn new() -> Self {
        Self { buffer: Vec::new(), begun: false, prepared: HashSet::new(), bound: false }
    }

    pub(super) fn feed(&mut self, octets: &[u8]) {
        self.buffer.extend_from_slice(octets);
    }

    /// The next whole message; `wanted` tells by its SQL whether a statement is.
    pub(super) fn next(&mut self, wanted: impl Fn(&str) -> bool) -> Option<Frame> {
        let head = usize::from(self.begun);
        let length = self.buffer.get(head..head + 4)?;
        let length = head + u32::from_be_bytes([length[0], length[1], length[2], length[3]]) as usize;
        if self.buffer.len() < length {
            return None;
        }
        let rest = self.buffer.split_off(length);
        let octets = std::mem::replace(&mut self.buffer, rest);
        let decisive = if self.begun { self.follow(octets[0], &octets[5..], wanted) } else { self.start(&octets) };
        Some(Frame { octets, decisive })
    }

    fn start(&mut self, octets: &[u8]) -> bool {
        let code = octets.get(4..8);
        self.begun = code != Some(&SSL_REQUEST) && code != Some(&GSS_REQUEST);
        false
    }

    fn follow(&mut self, kind: u8, body: &[u8], wanted: impl Fn(&str) -> bool) -> bool {
        let mut texts = body.split(|octet| *octet == 0);
        let mut text = || texts.next().unwrap_or_default();
        match kind {
            b'P' => {
                let (name, sql) = (text().to_owned(), text());
                if wanted(&String::from_utf8_lossy(sql)) {
                    self.prepared.insert(name);
                } else {
                    self.prepared.remove(&name);
                }
                false
            }
            b'B' => {
                let (_portal, name) = (text(), text());
                self.bound |= self.prepared.contains(name);
                false
            }
            b'S' => std::mem::take(&mut self.bound),
            b'Q' => wanted(&String::from_utf8_lossy(text())),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], &length[..], body].concat()
    }

    #[test]
    fn the_sync_of_a_wanted_statement_is_decisive() {
        let mut frames = Frames::new();
        frames.feed(&[0, 0, 0, 8, 4, 210, 22, 47, 0, 0, 0, 9, 0, 3, 0, 0, 0]);
        frames.feed(&message(b'P', b"s1\0INSERT INTO x\0\0\0"));
        for name in ["s1", "s2"] {
            frames.feed(&message(b'B', format!("\0{name}\0").as_bytes()));
            frames.feed(&message(b'E', b"\0\0\0\0\0"));
            frames.feed(&message(b'S', b""));
        }
        frames.feed(&message(b'Q', b"INSERT INTO x\0"));
        frames.feed(b"Q\0\0");
        let mut decisive = Vec::new();
        while let Some(frame) = frames.next(|sql| sql.starts_with("INSERT")) {
            decisive.push(frame.decisive);
        }
        assert_eq!(decisive, [false, false, false, false, false, true, false, false, false, true]);
    }
}
