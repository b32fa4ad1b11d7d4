//! The help on Windows.

/// Expands to a part of the help, by its name.
macro_rules! help_of {
    (config_place) => {
        "%LOCALAPPDATA%\\mains\\mains.toml, of the service C:\\Windows\\ServiceProfiles\\LocalService\\AppData\\Local\\mains\\mains.toml"
    };
    (state_place) => {
        "MAINS_STATE, else %LOCALAPPDATA%\\mains"
    };
    (end_signals) => {
        "Ctrl-C or the closing of its window"
    };
    (service) => {
        "`mains serve --install-service`, in a terminal opened with \"Run as administrator\", runs it as a service of Windows, with the \
         other options given. The service runs as the account LocalService. Its state, its settings (mains.toml) and its log \
         (mains.log) are in C:\\Windows\\ServiceProfiles\\LocalService\\AppData\\Local\\mains. Windows asks at the first start of a hub \
         or a search whether mains.exe may be reached: allow it on private networks."
    };
    (setup_course) => {
        "You join the plug's own Wi-Fi network with this computer; Mains waits for that and says where to click. Mains writes the name \
         and key of your network into the plug, has the plug prove the key while its own network is still there, lets it change over, \
         and looks for it on your network, to which you have returned. Success means that the plug was seen there under its MAC."
    };
    (wifi_option) => {
        "Join the plug's network by hand, which is the only way on Windows [default: manual]"
    };
    (serial_example) => {
        "mains at --serial COM3 VER                  the module's serial port"
    };
    (config_file) => {
        "D:\\mains.toml"
    };
    (config_file_in_json) => {
        "D:\\\\mains.toml"
    };
    (database_file) => {
        "D:\\mains\\mains.sqlite"
    };
    (database_file_in_json) => {
        "D:\\\\mains\\\\mains.sqlite"
    };
    (backup_file) => {
        "E:\\mains-2026-11-22.sqlite"
    };
    (backup_file_in_json) => {
        "E:\\\\mains-2026-11-22.sqlite"
    };
    (backup_target) => {
        help_of!(backup_file)
    };
    (completions_examples) => {
        "  mains completions powershell >> $PROFILE"
    };
    (man_examples) => {
        "  mains man > mains.1\n  \
           mains man discover > mains-discover.1"
    };
}
pub(crate) use help_of;
