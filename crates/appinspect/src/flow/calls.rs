//! Calls that make something of a constant: the tables, and what they say of a method.

/// Use that a call makes of an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum FlowUse {
    /// Key of a cipher.
    Key,
    /// Port of a socket.
    Port,
    /// Host of a socket.
    Host,
    /// Content of a datagram.
    Datagram,
}

impl FlowUse {
    /// Returns the maximum number of values of one argument, field or result that are followed: an app has few keys, and one function that
    /// sends all its datagrams.
    pub(super) fn max_origins(self) -> usize {
        match self {
            Self::Key => 8,
            Self::Port | Self::Host => 32,
            Self::Datagram => 128,
        }
    }
}

/// Facts of one called method.
#[derive(Debug, Clone)]
pub(crate) struct Callee {
    /// Number of the method.
    pub(crate) member: u32,
    /// Telling arguments.
    pub(crate) uses: Vec<(u16, FlowUse)>,
    /// The result is the first argument that is a value.
    pub(crate) converts: bool,
    /// A `String` that is made of its argument.
    pub(crate) makes_text: bool,
    /// Of the system, so its code is in no part.
    pub(crate) is_system: bool,
}

impl Callee {
    pub(super) fn new(
        member: u32,
        class: &str,
        name: &str,
        descriptor: &str,
        is_static: bool,
    ) -> Self {
        let is_use = |row: &&(&str, &str, &str, u16, FlowUse)| {
            row.0 == class && row.1 == name && descriptor.starts_with(row.2)
        };
        let (parameters, result) = descriptor.split_once(')').unwrap_or((descriptor, ""));
        let takes_one = matches!(parameters, "(Ljava/lang/String;" | "([B" | "([C");
        let gives_one = matches!(result, "Ljava/lang/String;" | "[B" | "[C");
        let is_system =
            SYSTEM.iter().any(|start| class.starts_with(start)) || class.starts_with('[');
        let is_conversion = CONVERSIONS
            .iter()
            .any(|(of, names)| *of == class && names.contains(&name));
        Self {
            member,
            uses: USES
                .iter()
                .filter(is_use)
                .map(|row| (row.3, row.4))
                .collect(),
            // A helper such as `byte[] fromHex(String)`.
            converts: is_conversion || (is_static && !is_system && takes_one && gives_one),
            makes_text: class == "Ljava/lang/String;" && name == "<init>",
            is_system,
        }
    }
}

/// Calls whose arguments are telling: class, method, beginning of the descriptor, argument, use. Argument 0 of a method that is
/// not static is the instance.
const USES: [(&str, &str, &str, u16, FlowUse); 26] = [
    (
        "Ljavax/crypto/spec/SecretKeySpec;",
        "<init>",
        "([B",
        1,
        FlowUse::Key,
    ),
    (
        "Ljavax/crypto/spec/DESKeySpec;",
        "<init>",
        "([B",
        1,
        FlowUse::Key,
    ),
    (
        "Ljavax/crypto/spec/DESedeKeySpec;",
        "<init>",
        "([B",
        1,
        FlowUse::Key,
    ),
    (
        "Ljavax/crypto/spec/PBEKeySpec;",
        "<init>",
        "([C",
        1,
        FlowUse::Key,
    ),
    (
        "Lorg/bouncycastle/crypto/params/KeyParameter;",
        "<init>",
        "([B",
        1,
        FlowUse::Key,
    ),
    (
        "Ljava/net/DatagramPacket;",
        "<init>",
        "([B",
        1,
        FlowUse::Datagram,
    ),
    (
        "Ljava/net/DatagramPacket;",
        "setData",
        "([B",
        1,
        FlowUse::Datagram,
    ),
    (
        "Ljava/net/DatagramPacket;",
        "<init>",
        "([BILjava/net/InetAddress;I",
        4,
        FlowUse::Port,
    ),
    (
        "Ljava/net/DatagramPacket;",
        "<init>",
        "([BIILjava/net/InetAddress;I",
        5,
        FlowUse::Port,
    ),
    (
        "Ljava/net/DatagramPacket;",
        "setPort",
        "(I",
        1,
        FlowUse::Port,
    ),
    (
        "Ljava/net/DatagramSocket;",
        "<init>",
        "(I",
        1,
        FlowUse::Port,
    ),
    (
        "Ljava/net/DatagramSocket;",
        "connect",
        "(Ljava/net/InetAddress;I",
        2,
        FlowUse::Port,
    ),
    (
        "Ljava/net/MulticastSocket;",
        "<init>",
        "(I",
        1,
        FlowUse::Port,
    ),
    ("Ljava/net/ServerSocket;", "<init>", "(I", 1, FlowUse::Port),
    (
        "Ljava/net/Socket;",
        "<init>",
        "(Ljava/net/InetAddress;I",
        2,
        FlowUse::Port,
    ),
    (
        "Ljava/net/Socket;",
        "<init>",
        "(Ljava/lang/String;I",
        2,
        FlowUse::Port,
    ),
    (
        "Ljava/net/Socket;",
        "<init>",
        "(Ljava/lang/String;",
        1,
        FlowUse::Host,
    ),
    (
        "Ljavax/net/SocketFactory;",
        "createSocket",
        "(Ljava/lang/String;",
        1,
        FlowUse::Host,
    ),
    (
        "Ljavax/net/SocketFactory;",
        "createSocket",
        "(Ljava/lang/String;I",
        2,
        FlowUse::Port,
    ),
    (
        "Ljavax/net/ssl/SSLSocketFactory;",
        "createSocket",
        "(Ljava/lang/String;I",
        2,
        FlowUse::Port,
    ),
    (
        "Ljava/net/InetSocketAddress;",
        "<init>",
        "(I",
        1,
        FlowUse::Port,
    ),
    (
        "Ljava/net/InetSocketAddress;",
        "<init>",
        "(Ljava/net/InetAddress;I",
        2,
        FlowUse::Port,
    ),
    (
        "Ljava/net/InetSocketAddress;",
        "<init>",
        "(Ljava/lang/String;I",
        2,
        FlowUse::Port,
    ),
    (
        "Ljava/net/InetSocketAddress;",
        "<init>",
        "(Ljava/lang/String;",
        1,
        FlowUse::Host,
    ),
    (
        "Ljava/net/InetAddress;",
        "getByName",
        "(Ljava/lang/String;",
        0,
        FlowUse::Host,
    ),
    (
        "Ljava/net/InetAddress;",
        "getAllByName",
        "(Ljava/lang/String;",
        0,
        FlowUse::Host,
    ),
];

/// Calls that return, in another form, the first of their arguments that is a value.
const CONVERSIONS: [(&str, &[&str]); 9] = [
    (
        "Ljava/lang/String;",
        &[
            "getBytes",
            "toCharArray",
            "trim",
            "toLowerCase",
            "toUpperCase",
            "valueOf",
            "intern",
            "substring",
            "copyValueOf",
            "toString",
        ],
    ),
    ("Landroid/util/Base64;", &["decode"]),
    ("Ljava/util/Base64$Decoder;", &["decode"]),
    (
        "Ljava/lang/Integer;",
        &["parseInt", "valueOf", "intValue", "decode"],
    ),
    (
        "Ljava/lang/Short;",
        &["parseShort", "valueOf", "shortValue"],
    ),
    ("Ljava/util/Arrays;", &["copyOf", "copyOfRange"]),
    ("Ljava/lang/Object;", &["clone"]),
    ("[B", &["clone"]),
    (
        "Lkotlin/text/StringsKt;",
        &["encodeToByteArray", "toByteArray"],
    ),
];

/// Beginnings of classes whose code no app brings.
const SYSTEM: [&str; 6] = [
    "Ljava/",
    "Ljavax/",
    "Landroid/",
    "Landroidx/",
    "Lkotlin/",
    "Ldalvik/",
];
