//! The help on Linux.

/// Expands to a part of the help, by its name.
macro_rules! help_of {
    (config_place) => {
        "$XDG_CONFIG_HOME/mains/mains.toml, for a system service /etc/mains/mains.toml"
    };
    (state_place) => {
        "MAINS_STATE, else $XDG_STATE_HOME/mains, else ~/.local/state/mains"
    };
    (end_signals) => {
        "Ctrl-C or SIGTERM"
    };
    (service) => {
        "As a service of systemd it runs with Type=notify and a watchdog; the Debian package has the unit, and settings in \
         /etc/mains/mains.toml."
    };
    (setup_course) => {
        "This computer joins the plug's own Wi-Fi network, writes the name and key of your network into the plug, has the plug \
         prove the key while its own network is still there, lets it change over, and looks for it on your network. Success means \
         that the plug was seen there under its MAC. The computer's Wi-Fi is restored in every case; if setup is killed half-way, \
         the next start of `mains` says so, and `mains setup --undo` restores it."
    };
    (wifi_option) => {
        "Join the plug's network by NetworkManager or by hand [default: networkmanager, without it manual]"
    };
    (serial_example) => {
        "mains at --serial /dev/ttyUSB0 VER          the module's serial port"
    };
    (config_file) => {
        "/etc/mains/mains.toml"
    };
    (config_file_in_json) => {
        help_of!(config_file)
    };
    (database_file) => {
        "/var/lib/mains/mains.sqlite"
    };
    (database_file_in_json) => {
        help_of!(database_file)
    };
    (backup_file) => {
        "/media/mains-2026-11-22.sqlite"
    };
    (backup_file_in_json) => {
        help_of!(backup_file)
    };
    (backup_target) => {
        "/media/mains-$(date +%F).sqlite"
    };
    (completions_examples) => {
        "  mains completions bash > ~/.local/share/bash-completion/completions/mains\n  \
           mains completions zsh > ~/.zfunc/_mains\n  \
           mains completions fish > ~/.config/fish/completions/mains.fish"
    };
    (man_examples) => {
        "  mains man | man -l -\n  \
           mains man > ~/.local/share/man/man1/mains.1\n  \
           mains man discover | man -l -"
    };
}
pub(crate) use help_of;
