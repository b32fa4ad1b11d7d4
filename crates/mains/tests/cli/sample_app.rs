//! The app of a made-up vendor, built by the tools of Android: strings, constants that take detours, resources, a library.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::needs;

const MANIFEST: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<manifest xmlns:android="http://schemas.android.com/apk/res/android" package="com.example.plug">
    <application/>
</manifest>
"#;

const STRINGS: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<resources>
    <string name="app_name">Plug</string>
    <string name="api">http://api.example-plugs.cn/v/api.1.1/</string>
    <string name="greeting">Grüße aus Köln</string>
</resources>
"#;

const CONFIG: &str = r#"{"broker": "mqtt.example-plugs.cn:1883", "fallback": "10.10.100.254"}"#;

const CONTROL: &str = r#"
.class public Lcom/example/plug/Control;
.super Ljava/lang/Object;

.field public static final TCP_PORT:I = 0x22c3
.field private static port:I

.method public static on()Ljava/lang/String;
    .registers 1
    const-string v0, "AT+YZSWITCH=1,ON,"
    return-object v0
.end method

.method public static meter()Ljava/lang/String;
    .registers 1
    const-string/jumbo v0, "AT+YZOUT\r\n"
    return-object v0
.end method

.method public static connect(Ljava/lang/String;)Ljava/net/Socket;
    .registers 3
    sget v0, Lcom/example/plug/Control;->port:I
    new-instance v1, Ljava/net/Socket;
    invoke-direct {v1, p0, v0}, Ljava/net/Socket;-><init>(Ljava/lang/String;I)V
    return-object v1
.end method

.method static constructor <clinit>()V
    .registers 1
    const/16 v0, 0x1fbb
    sput v0, Lcom/example/plug/Control;->port:I
    return-void
.end method
"#;

const FINDER: &str = r#"
.class public Lcom/example/plug/Finder;
.super Ljava/lang/Object;

.method public static find(Ljava/net/DatagramSocket;Ljava/net/InetAddress;)V
    .registers 3
    const-string v0, "YZ-RECOSCAN"
    invoke-static {p0, p1, v0}, Lcom/example/plug/Finder;->send(Ljava/net/DatagramSocket;Ljava/net/InetAddress;Ljava/lang/String;)V
    const-string v0, "who-is-there"
    invoke-static/range {v0 .. v0}, Lcom/example/plug/Finder;->ignore(Ljava/lang/String;)V
    invoke-static {p0, p1, v0}, Lcom/example/plug/Finder;->send(Ljava/net/DatagramSocket;Ljava/net/InetAddress;Ljava/lang/String;)V
    return-void
.end method

.method public static ignore(Ljava/lang/String;)V
    .registers 1
    return-void
.end method

.method public static send(Ljava/net/DatagramSocket;Ljava/net/InetAddress;Ljava/lang/String;)V
    .registers 10
    invoke-virtual {p2}, Ljava/lang/String;->getBytes()[B
    move-result-object v1
    array-length v2, v1
    const v4, 0xbf03
    new-instance v0, Ljava/net/DatagramPacket;
    move-object v3, p1
    invoke-direct {v0, v1, v2, v3, v4}, Ljava/net/DatagramPacket;-><init>([BILjava/net/InetAddress;I)V
    invoke-virtual {p0, v0}, Ljava/net/DatagramSocket;->send(Ljava/net/DatagramPacket;)V
    return-void
.end method
"#;

const CLOUD: &str = r#"
.class public Lcom/example/plug/Cloud;
.super Ljava/lang/Object;

.field private static final KEY:Ljava/lang/String; = "0123456789abcdef"

.method public static cipher()Ljavax/crypto/spec/SecretKeySpec;
    .registers 3
    sget-object v0, Lcom/example/plug/Cloud;->KEY:Ljava/lang/String;
    invoke-virtual {v0}, Ljava/lang/String;->getBytes()[B
    move-result-object v0
    invoke-static {v0}, Lcom/example/plug/Cloud;->spec([B)Ljavax/crypto/spec/SecretKeySpec;
    move-result-object v0
    return-object v0
.end method

.method private static spec([B)Ljavax/crypto/spec/SecretKeySpec;
    .registers 4
    new-instance v0, Ljavax/crypto/spec/SecretKeySpec;
    const-string v1, "AES"
    invoke-direct {v0, p0, v1}, Ljavax/crypto/spec/SecretKeySpec;-><init>([BLjava/lang/String;)V
    return-object v0
.end method

.method public static bytes()Ljavax/crypto/spec/SecretKeySpec;
    .registers 2
    const/4 v0, 0x4
    new-array v0, v0, [B
    fill-array-data v0, :key
    invoke-static {v0}, Lcom/example/plug/Cloud;->spec([B)Ljavax/crypto/spec/SecretKeySpec;
    move-result-object v0
    return-object v0

    :key
    .array-data 1
        0x0t
        0x1t
        -0x2t
        -0x1t
    .end array-data
.end method
"#;

/// In a second DEX file, with the address of a class in the first.
const SCREEN: &str = r#"
.class public Lcom/example/plug/Screen;
.super Ljava/lang/Object;

.method public static open()Ljava/net/Socket;
    .registers 1
    const-string v0, "plug.invalid"
    invoke-static {v0}, Lcom/example/plug/Control;->connect(Ljava/lang/String;)Ljava/net/Socket;
    move-result-object v0
    return-object v0
.end method

.method public static text()Ljava/lang/String;
    .registers 1
    const-string v0, "a zero \u0000, an emoji \ud83d\ude00, an umlaut \u00e4"
    return-object v0
.end method
"#;

const LIBRARY: &str = r#"
const char *text(void) { return "AT+WSKEY=WPA2PSK,AES,%s"; }
const char *server = "cloud.example-plugs.cn";
"#;

/// Requires the tools that build the app.
pub fn tools() -> Result<(), String> {
    needs::tool("smali", "--version", "libsmali-java")?;
    needs::tool("aapt", "version", "aapt")?;
    needs::tool("gcc", "--version", "gcc")
}

fn run(folder: &Path, words: &[&str]) {
    needs::succeed(Command::new(words[0]).args(&words[1..]).current_dir(folder));
}

/// Builds `app.apk` in a folder, which keeps its parts: `classes.dex`, `classes2.dex`, `lib/arm64-v8a/libx.so`.
pub fn build(folder: &Path) -> PathBuf {
    for (name, text) in [
        ("AndroidManifest.xml", MANIFEST),
        ("res/values/strings.xml", STRINGS),
        ("assets/config.json", CONFIG),
        ("smali/Control.smali", CONTROL),
        ("smali/Finder.smali", FINDER),
        ("smali/Cloud.smali", CLOUD),
        ("smali2/Screen.smali", SCREEN),
        ("lib/arm64-v8a/x.c", LIBRARY),
    ] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    run(folder, &["smali", "assemble", "-o", "classes.dex", "smali"]);
    run(
        folder,
        &["smali", "assemble", "-o", "classes2.dex", "smali2"],
    );
    let library = "lib/arm64-v8a/libx.so";
    run(
        folder,
        &[
            "gcc",
            "-shared",
            "-fPIC",
            "-o",
            library,
            "lib/arm64-v8a/x.c",
        ],
    );
    let package = [
        "package",
        "-f",
        "-M",
        "AndroidManifest.xml",
        "-S",
        "res",
        "-A",
        "assets",
        "-F",
        "app.apk",
    ];
    run(folder, &[&["aapt"], package.as_slice()].concat());
    run(
        folder,
        &[
            "aapt",
            "add",
            "app.apk",
            "classes.dex",
            "classes2.dex",
            library,
        ],
    );
    folder.join("app.apk")
}
