//! A GGUF writer and a llama model small enough to be made on the spot: random weights, a real container.
//!
//! Included with `#[path]` by whatever test needs a model file; it depends on nothing but `std`.
#![expect(
    clippy::cast_possible_truncation,
    reason = "test data: sizes are tiny, and random bits are cut on purpose"
)]

/// A metadata value to be written.
#[derive(Debug, Clone)]
pub(crate) enum Entry {
    /// A 32-bit unsigned number.
    U32(u32),
    /// A 32-bit float.
    F32(f32),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(String),
    /// A list of texts.
    Texts(Vec<String>),
    /// A list of 32-bit signed numbers.
    I32s(Vec<i32>),
    /// Any type number, with its bytes as they are to be in the file.
    Raw(u32, Vec<u8>),
}

/// A tensor to be written.
#[derive(Clone)]
pub(crate) struct TensorEntry {
    /// Its name.
    pub(crate) name: String,
    /// Its shape, contiguous dimension first.
    pub(crate) shape: Vec<u64>,
    /// Its type's number in the format.
    pub(crate) kind: u32,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
    /// Another offset than the one that follows from the order.
    pub(crate) offset: Option<u64>,
}

/// A container to be written.
#[derive(Clone)]
pub(crate) struct Container {
    /// The format's version.
    pub(crate) version: u32,
    /// Metadata, in order.
    pub(crate) entries: Vec<(String, Entry)>,
    /// Tensors, in order.
    pub(crate) tensors: Vec<TensorEntry>,
    /// Where tensors begin: multiples of this.
    pub(crate) alignment: usize,
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

impl Entry {
    fn put(&self, bytes: &mut Vec<u8>) {
        let put = |bytes: &mut Vec<u8>, kind: u32, value: &[u8]| {
            bytes.extend(kind.to_le_bytes());
            bytes.extend(value);
        };
        match self {
            Self::U32(value) => put(bytes, 4, &value.to_le_bytes()),
            Self::F32(value) => put(bytes, 6, &value.to_le_bytes()),
            Self::Bool(value) => put(bytes, 7, &[u8::from(*value)]),
            Self::Text(text) => {
                bytes.extend(8_u32.to_le_bytes());
                put_text(bytes, text);
            }
            Self::Texts(texts) => {
                put(bytes, 9, &8_u32.to_le_bytes());
                bytes.extend((texts.len() as u64).to_le_bytes());
                texts.iter().for_each(|text| put_text(bytes, text));
            }
            Self::I32s(values) => {
                put(bytes, 9, &5_u32.to_le_bytes());
                bytes.extend((values.len() as u64).to_le_bytes());
                values.iter().for_each(|value| bytes.extend(value.to_le_bytes()));
            }
            Self::Raw(kind, value) => put(bytes, *kind, value),
        }
    }
}

impl Container {
    /// The file's bytes.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = b"GGUF".to_vec();
        bytes.extend(self.version.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.entries.len() as u64).to_le_bytes());
        for (key, entry) in &self.entries {
            put_text(&mut bytes, key);
            entry.put(&mut bytes);
        }
        let mut offset = 0_usize;
        for tensor in &self.tensors {
            put_text(&mut bytes, &tensor.name);
            bytes.extend((tensor.shape.len() as u32).to_le_bytes());
            tensor
                .shape
                .iter()
                .for_each(|size| bytes.extend(size.to_le_bytes()));
            bytes.extend(tensor.kind.to_le_bytes());
            bytes.extend(tensor.offset.unwrap_or(offset as u64).to_le_bytes());
            offset = (offset + tensor.bytes.len()).next_multiple_of(self.alignment);
        }
        for tensor in &self.tensors {
            bytes.resize(bytes.len().next_multiple_of(self.alignment), 0);
            bytes.extend(&tensor.bytes);
        }
        bytes
    }

    /// Sets or replaces a metadata value.
    pub(crate) fn set(&mut self, key: &str, entry: Entry) {
        self.entries.retain(|(own, _)| own != key);
        self.entries.push((key.to_owned(), entry));
    }
}

/// A small generator, the same everywhere (splitmix64).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    /// The next 64 bits.
    pub(crate) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The next number from -1 to 1.
    pub(crate) fn signed(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1_u32 << 23) as f32 - 1.0
    }
}

/// Random weights in a type of the format: F32 (0), F16 (1), `Q4_0` (2), `Q4_1` (3), `Q8_0` (8) or BF16 (30), of size about
/// `size`.
pub(crate) fn weights(kind: u32, count: usize, size: f32, numbers: &mut Numbers) -> Vec<u8> {
    let (group, nibbles) = match kind {
        2 => (18, 2),
        3 => (20, 4),
        8 => (34, 2),
        _ => {
            return (0..count)
                .flat_map(|_| float(kind, numbers.signed() * size))
                .collect();
        }
    };
    let mut bytes = Vec::new();
    for _ in 0..count / 32 {
        let step = size / if kind == 8 { 127.0 } else { 8.0 };
        bytes.extend(float(1, step * (1.0 + numbers.signed() * 0.3)));
        if nibbles == 4 {
            bytes.extend(float(1, -size * (1.0 + numbers.signed() * 0.3)));
        }
        bytes.extend((nibbles..group).map(|_| numbers.bits() as u8));
    }
    bytes
}

/// One number as F32 (0), F16 (1, truncated, normal range only) or BF16 (30, truncated).
fn float(kind: u32, value: f32) -> Vec<u8> {
    let bits = value.to_bits();
    match kind {
        0 => bits.to_le_bytes().to_vec(),
        30 => ((bits >> 16) as u16).to_le_bytes().to_vec(),
        _ => {
            let sign = bits >> 16 & 0x8000;
            let magnitude = bits & 0x7fff_ffff;
            let half = if magnitude < 0x3880_0000 {
                0
            } else {
                (magnitude >> 13) - (112 << 10)
            };
            ((sign | half) as u16).to_le_bytes().to_vec()
        }
    }
}

/// Sizes of a tiny llama model.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    /// Tokens.
    pub(crate) vocabulary: usize,
    /// Longest sequence.
    pub(crate) context: usize,
    /// Length of a token's vector.
    pub(crate) width: usize,
    /// Layers.
    pub(crate) layers: usize,
    /// Query heads.
    pub(crate) heads: usize,
    /// Heads of keys and values.
    pub(crate) pairs: usize,
    /// Length of the hidden vector.
    pub(crate) hidden: usize,
}

/// Four heads over two, two layers, 300 tokens: nothing is a round number by accident.
pub(crate) const TINY: Sizes = Sizes {
    vocabulary: 300,
    context: 256,
    width: 64,
    layers: 2,
    heads: 4,
    pairs: 2,
    hidden: 96,
};

/// A llama model with random weights whose matrices have the given type; norms are F32, the head is tied.
pub(crate) fn llama(sizes: Sizes, kind: u32, seed: u64) -> Container {
    let mut numbers = Numbers(seed);
    let (width, hidden) = (sizes.width, sizes.hidden);
    let keys = width / sizes.heads * sizes.pairs;
    let mut tensors = Vec::new();
    let mut matrix = |name: String, columns: usize, rows: usize| {
        let bytes = weights(kind, columns * rows, 1.5 / (columns as f32).sqrt(), &mut numbers);
        tensors.push(TensorEntry {
            name,
            shape: vec![columns as u64, rows as u64],
            kind,
            bytes,
            offset: None,
        });
    };
    matrix("token_embd.weight".to_owned(), width, sizes.vocabulary);
    for index in 0..sizes.layers {
        let name = |part: &str| format!("blk.{index}.{part}.weight");
        matrix(name("attn_q"), width, width);
        matrix(name("attn_k"), width, keys);
        matrix(name("attn_v"), width, keys);
        matrix(name("attn_output"), width, width);
        matrix(name("ffn_gate"), width, hidden);
        matrix(name("ffn_up"), width, hidden);
        matrix(name("ffn_down"), hidden, width);
    }
    let mut norm = |name: String| {
        let bytes = (0..width)
            .flat_map(|_| (1.0 + 0.1 * numbers.signed()).to_le_bytes())
            .collect();
        tensors.push(TensorEntry {
            name,
            shape: vec![width as u64],
            kind: 0,
            bytes,
            offset: None,
        });
    };
    for index in 0..sizes.layers {
        norm(format!("blk.{index}.attn_norm.weight"));
        norm(format!("blk.{index}.ffn_norm.weight"));
    }
    norm("output_norm.weight".to_owned());
    Container {
        version: 3,
        entries: entries(sizes),
        tensors,
        alignment: 32,
    }
}

fn entries(sizes: Sizes) -> Vec<(String, Entry)> {
    let number = |value: usize| Entry::U32(value as u32);
    let entries = [
        ("general.architecture", Entry::Text("llama".to_owned())),
        ("llama.block_count", number(sizes.layers)),
        ("llama.context_length", number(sizes.context)),
        ("llama.embedding_length", number(sizes.width)),
        ("llama.feed_forward_length", number(sizes.hidden)),
        ("llama.attention.head_count", number(sizes.heads)),
        ("llama.attention.head_count_kv", number(sizes.pairs)),
        ("llama.attention.layer_norm_rms_epsilon", Entry::F32(1e-5)),
        ("llama.rope.freq_base", Entry::F32(100_000.0)),
        ("llama.rope.dimension_count", number(sizes.width / sizes.heads)),
        ("llama.vocab_size", number(sizes.vocabulary)),
    ];
    entries
        .into_iter()
        .map(|(key, entry)| (key.to_owned(), entry))
        .collect()
}
