//! Where programs take secrets that no name announces, because `-p` is a port to one and a password to another. Data
//! first.

/// Where the secret of an option stands, and how much of that is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In the same word only; the bare option asks for it.
    Joined,
    /// In the next word only.
    Next,
    /// In the same word, or in the next.
    Both,
    /// In the same word or in the next, what follows this byte: `bob%secret`, `name=secret`.
    Pair(u8),
}

/// An operand that is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Operand {
    /// The how-manieth after the program or its subcommand, from 1.
    pub(super) nth: usize,
    /// Only if this short option was given.
    pub(super) given: Option<char>,
    /// What follows this byte of it, up to an `@`; all of it without one.
    pub(super) behind: Option<u8>,
}

/// A program, or one subcommand of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Program {
    names: &'static [&'static str],
    /// The word after which all this holds; none if it is empty.
    pub(super) under: &'static str,
    /// Whether more may follow the name: `mysqldump`.
    family: bool,
    pub(super) options: &'static [(&'static str, Place)],
    /// Short options that take the next word, which is then no operand.
    pub(super) valued: &'static str,
    pub(super) operands: &'static [Operand],
    /// Whether a bare word that is a secret's name announces the next one: `nmcli … password X`.
    pub(super) announces: bool,
    /// Whether it takes a secret from its input, if it has this among its words (or always, with an empty one).
    pub(super) reads: Option<&'static str>,
}

const fn program(names: &'static [&'static str]) -> Program {
    Program { names, under: "", family: false, options: &[], valued: "", operands: &[], announces: false, reads: None }
}

impl Program {
    const fn under(self, under: &'static str) -> Self {
        Self { under, ..self }
    }
    const fn family(self) -> Self {
        Self { family: true, ..self }
    }
    const fn options(self, options: &'static [(&'static str, Place)]) -> Self {
        Self { options, ..self }
    }
    const fn valued(self, valued: &'static str) -> Self {
        Self { valued, ..self }
    }
    const fn operands(self, operands: &'static [Operand]) -> Self {
        Self { operands, ..self }
    }
    const fn announces(self) -> Self {
        Self { announces: true, ..self }
    }
    const fn reads(self, with: &'static str) -> Self {
        Self { reads: Some(with), ..self }
    }
}

const fn nth(nth: usize) -> Operand {
    Operand { nth, given: None, behind: None }
}

use Place::{Both, Joined, Next, Pair};

static PROGRAMS: &[Program] = &[
    program(&["mysql", "mariadb"]).family().options(&[("-p", Joined)]),
    program(&["sshpass"]).options(&[("-p", Both)]),
    program(&["redis-cli", "valkey-cli", "keydb-cli"]).options(&[("-a", Next)]).announces(),
    program(&["redis-cli", "valkey-cli", "keydb-cli"]).under("AUTH").operands(&[nth(1), nth(2)]),
    program(&["redis-cli", "valkey-cli", "keydb-cli"]).under("auth").operands(&[nth(1), nth(2)]),
    program(&["ldap"]).family().options(&[("-w", Both)]),
    program(&["ldappasswd"]).options(&[("-s", Both), ("-a", Both)]),
    program(&["curl"]).options(&[
        ("-u", Both),
        ("-U", Both),
        ("--user", Next),
        ("--user=", Joined),
        ("--proxy-user", Next),
        ("--proxy-user=", Joined),
        ("-b", Pair(b'=')),
        ("--cert", Pair(b':')),
        ("-E", Pair(b':')),
    ]),
    program(&["useradd", "usermod", "groupadd", "groupmod"]).options(&[("-p", Both)]),
    program(&["zip", "unzip"]).options(&[("-P", Both)]),
    program(&["7z", "7za", "7zr", "rar", "unrar"]).options(&[("-p", Joined), ("-hp", Joined)]),
    program(&["openssl"]).options(&[("-k", Next), ("-K", Next), ("-hmac", Next), ("-psk", Next)]),
    program(&["openssl"]).under("passwd").valued("is").operands(&[nth(1), nth(2)]),
    program(&["mongo"]).family().options(&[("-p", Both)]),
    program(&["ipmitool"]).options(&[("-P", Both), ("-k", Both), ("-y", Both)]),
    program(&["ipmitool"]).under("password").operands(&[nth(2)]),
    program(&["smbpasswd"]).options(&[("-w", Both)]).reads("-s"),
    program(&["htpasswd"]).valued("Cr").operands(&[
        Operand { nth: 2, given: Some('n'), behind: None },
        Operand { nth: 3, given: Some('b'), behind: None },
    ]),
    program(&[
        "docker", "podman", "nerdctl", "buildah", "skopeo", "oc", "crane", "regctl", "oras", "helm", "cosign", "az",
    ])
    .under("login")
    .options(&[("-p", Both)]),
    program(&["docker", "podman", "nerdctl", "buildah", "skopeo", "helm", "gh", "glab"]).reads("login"),
    program(&["kubectl", "oc"]).under("secret").options(&[("--from-literal", Pair(b'='))]),
    program(&["smbclient"]).valued("UWDpmIntTlLsbcAE").options(&[("-U", Pair(b'%'))]).operands(&[nth(2)]),
    program(&["net", "rpcclient", "smbcacls", "smbget", "wbinfo", "nmblookup", "samba-tool", "smbtree", "winexe"])
        .options(&[("-U", Pair(b'%')), ("--user", Pair(b'%')), ("-a", Pair(b'%'))]),
    program(&["ssh-keygen"]).options(&[("-N", Both), ("-P", Both)]),
    program(&["nmcli", "wg", "aws", "gcloud", "connmanctl", "iwctl", "wpa_cli", "uci", "crudini"]).announces(),
    program(&["wpa_passphrase"]).operands(&[nth(2)]),
    program(&["snmp"]).family().options(&[("-A", Both), ("-X", Both), ("-c", Both), ("-Z", Both)]),
    program(&["sqlcmd", "bcp", "tsql", "knife", "fisql"]).options(&[("-P", Both)]),
    program(&["sqlplus", "sqlldr", "exp", "imp", "expdp", "impdp", "rman"]).valued("CLRM").operands(&[Operand {
        nth: 1,
        given: None,
        behind: Some(b'/'),
    }]),
    program(&["vault", "bao"]).under("login").operands(&[nth(1)]),
    program(&["rabbitmqctl"]).under("add_user").operands(&[nth(2)]),
    program(&["rabbitmqctl"]).under("change_password").operands(&[nth(2)]),
    program(&["xfreerdp", "xfreerdp3", "wlfreerdp"]).options(&[("/p:", Joined), ("/gp:", Joined)]),
    program(&["rdesktop"]).options(&[("-p", Both)]),
    program(&["kadmin", "kadmin.local"]).options(&[("-w", Both), ("-pw", Next)]),
    program(&["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"]).options(&[("-P", Both)]),
    program(&["mosquitto_passwd"]).operands(&[Operand { nth: 3, given: Some('b'), behind: None }]),
    program(&["hdparm"]).options(&[
        ("--security-unlock", Next),
        ("--security-set-pass", Next),
        ("--security-disable", Next),
        ("--security-erase", Next),
        ("--security-erase-enhanced", Next),
    ]),
    program(&["influx"]).options(&[("-t", Both)]),
    program(&[
        "twine",
        "poetry",
        "cqlsh",
        "cypher-shell",
        "rabbitmqadmin",
        "racadm",
        "pcs",
        "ncftp",
        "ncftpput",
        "ncftpget",
    ])
    .options(&[("-p", Both)]),
    program(&["tpm2_"]).family().options(&[("-p", Both), ("-P", Both)]),
    program(&["ipa-client-install", "ipa-server-install", "ipa-replica-install"]).options(&[
        ("-w", Both),
        ("-a", Both),
        ("-p", Both),
    ]),
    program(&["http", "https", "xh", "xhs"]).options(&[("-a", Both), ("--auth", Next), ("--auth=", Joined)]),
    program(&["neo4j-admin", "grafana-cli", "grafana"]).under("set-initial-password").operands(&[nth(1)]),
    program(&["grafana-cli", "grafana"]).under("reset-admin-password").operands(&[nth(1)]),
    program(&["kubeadm"]).options(&[("--certificate-key", Next), ("--certificate-key=", Joined)]),
    program(&["vault", "bao"]).under("unseal").operands(&[nth(1)]),
    program(&["ansible-vault"]).under("encrypt_string").operands(&[nth(1)]),
    program(&["salt", "salt-call"]).under("shadow.set_password").operands(&[nth(2)]),
    program(&["salt", "salt-call"]).under("user.setpassword").operands(&[nth(2)]),
    program(&["aws"]).under("put-parameter").options(&[("--value", Next), ("--value=", Joined)]),
    program(&["az", "wrangler", "gh", "glab", "fly", "flyctl", "vercel"]).under("secret").options(&[
        ("--value", Next),
        ("--value=", Joined),
        ("--body", Next),
        ("--body=", Joined),
        ("-b", Both),
    ]),
    program(&["netlify", "splunk"]).options(&[("--auth", Next), ("-auth", Next)]),
    program(&["cargo", "bw", "snyk", "fly", "flyctl", "heroku"]).under("login").operands(&[nth(1)]),
    program(&["bw"]).under("login").operands(&[nth(2)]),
    program(&["bw"]).under("unlock").operands(&[nth(1)]),
    program(&["bw"]).options(&[("--session", Next), ("--session=", Joined)]),
    program(&["op"]).under("signin").operands(&[nth(3), nth(4)]),
    program(&["snyk"]).under("auth").operands(&[nth(1)]),
    program(&["ngrok"]).under("authtoken").operands(&[nth(1)]),
    program(&["ngrok"]).under("add-authtoken").operands(&[nth(1)]),
    program(&[
        "npm", "yarn", "pnpm", "git", "snap", "rclone", "occ", "iscsiadm", "pppd", "chat", "msmtp", "wp", "vgcli",
    ])
    .announces(),
    program(&["isql", "iusql"]).operands(&[nth(3)]),
    program(&["etcdctl"]).options(&[("--user", Pair(b':'))]),
    program(&["etcdctl"]).under("add").operands(&[Operand { nth: 1, given: None, behind: Some(b':') }]),
    program(&["jenkins-cli", "jenkins-cli.jar"]).options(&[("-auth", Pair(b':'))]),
    program(&["transmission-remote"]).options(&[("-n", Pair(b':')), ("--auth", Pair(b':'))]),
    program(&["check_"]).family().options(&[("-a", Pair(b':')), ("-C", Both)]),
    program(&["wbinfo"]).options(&[("--authenticate", Pair(b'%'))]),
    program(&["net"]).under("user").operands(&[nth(2)]),
    program(&["net"]).under("password").operands(&[nth(2)]),
    program(&["vault", "bao"]).under("rekey").operands(&[nth(1)]),
    program(&["veracrypt", "zuluCrypt-cli", "fs_cli", "redfishtool", "keepassxc-cli"]).options(&[("-p", Both)]),
    program(&["slappasswd"]).options(&[("-s", Both)]),
    program(&["doveadm"]).under("pw").options(&[("-p", Both)]),
    program(&["doveadm"]).under("test").operands(&[nth(2)]),
    program(&["caddy"]).under("hash-password").options(&[("--plaintext", Next), ("-p", Both)]),
    program(&["squidclient"]).options(&[("-w", Both), ("-W", Both)]),
    program(&["ejabberdctl", "prosodyctl"]).under("register").operands(&[nth(3)]),
    program(&["ejabberdctl"]).under("change_password").operands(&[nth(3)]),
    program(&["tpm2_changeauth"]).operands(&[nth(1)]),
    program(&["ykman"]).under("chalresp").operands(&[nth(2)]),
    program(&["net-snmp-create-v3-user"]).options(&[("-A", Both), ("-X", Both), ("-a", Both), ("-x", Both)]),
    program(&["gitlab-runner"]).options(&[("-r", Both), ("-t", Both)]),
    program(&["codecov", "codecovcli"]).options(&[("-t", Both)]),
    program(&["nuget"]).under("setapikey").operands(&[nth(1)]),
    program(&["dotnet", "nuget"]).under("push").options(&[("-k", Both)]),
    program(&["drush"]).under("user:password").operands(&[nth(2)]),
    program(&["rabbitmqctl"]).under("authenticate_user").operands(&[nth(2)]),
    program(&["mysqlsh"]).operands(&[Operand { nth: 1, given: None, behind: Some(b':') }]),
    program(&["curlftpfs"]).options(&[("-o", Pair(b':'))]),
    program(&["netbird"]).options(&[("--setup-key", Next), ("--setup-key=", Joined), ("-k", Both)]),
    program(&["ssserver", "sslocal", "ss-server", "ss-local"]).options(&[("-k", Both)]),
    program(&["virsh"]).under("secret-set-value").options(&[("--base64", Next), ("--base64=", Joined)]),
    program(&["icinga2"]).options(&[("--ticket", Next), ("--ticket=", Joined)]),
    program(&["openssl"]).under("mac").options(&[("hexkey:", Joined), ("key:", Joined)]),
    program(&["rclone"]).under("obscure").operands(&[nth(1)]),
    program(&["mkpasswd"]).valued("mRSP").operands(&[nth(1)]),
    program(&["oathtool"]).valued("cdwsSNbt").operands(&[nth(1)]),
    program(&["iw"]).under("key").operands(&[nth(1)]),
    program(&["iw"]).under("keys").operands(&[nth(1)]),
    program(&["b2"]).under("authorize-account").operands(&[nth(2)]),
    program(&["b2"]).under("authorize").operands(&[nth(2)]),
    program(&["mc", "mcli"]).under("set").operands(&[nth(4)]),
    program(&["mc", "mcli"]).under("add").operands(&[nth(4)]),
    program(&["samba-tool"]).under("create").operands(&[nth(2)]),
    program(&["samba-tool"]).under("add").operands(&[nth(2)]),
    program(&["virsh"]).under("set-user-password").operands(&[nth(3)]),
    program(&["ykman"]).under("add").operands(&[nth(2)]),
    program(&["adb"]).under("pair").operands(&[nth(2)]),
    program(&["qpdf"]).options(&[("--encrypt", Next)]),
    program(&["pdf"]).family().options(&[("-upw", Next), ("-opw", Next)]),
    program(&["yubico-piv-tool"]).options(&[("-P", Both), ("-N", Both), ("-k", Both)]),
    program(&["swaks"]).options(&[("-ap", Next), ("--ap", Next)]),
    program(&["sendemail", "sendEmail"]).options(&[("-xp", Next)]),
    program(&["nsupdate", "dig", "kdig", "host", "knsupdate", "kxfr", "rndc"]).options(&[("-y", Pair(b':'))]),
    program(&["sedutil-cli"]).options(&[
        ("--initialSetup", Next),
        ("--setSIDPassword", Next),
        ("--setAdmin1Pwd", Next),
        ("--revertTPer", Next),
        ("--initialsetup", Next),
        ("--PSIDrevert", Next),
        ("--yesIreallywanttoERASEALLmydatausingthePSID", Next),
    ]),
    program(&["doctl"]).options(&[("-t", Both)]),
    program(&["lftp", "ncftp", "ncftpput", "ncftpget"]).options(&[("-u", Pair(b','))]),
    program(&["svn", "hg", "bzr"]).announces(),
    program(&["xmlstarlet", "adcli"]).reads("--stdin-password"),
    program(&["realm", "net"]).reads("join"),
    program(&["wg"]).reads("pubkey"),
    program(&["age", "keyctl", "secret-tool", "pass"]).reads("insert"),
    program(&["passwd"]).reads(""),
    program(&["chpasswd", "chgpasswd", "newusers"]).reads(""),
    program(&["sudo"]).reads("-S"),
    program(&["cryptsetup", "veracrypt", "luksmeta", "zfs"]).reads(""),
    program(&["gpg", "gpg2"]).reads("--passphrase-fd"),
    program(&["kinit", "systemd-creds", "systemd-ask-password", "vncpasswd", "faillock", "mkpasswd"]).reads(""),
    program(&["smartctl", "sedutil-cli"]).announces(),
];

/// The longest name of a program that is looked at.
const MAX_NAME: usize = 32;

/// What is known of the program of this name, without directories.
pub(super) fn named(name: &str) -> impl Iterator<Item = &'static Program> {
    let is = move |program: &&Program| {
        name.len() <= MAX_NAME
            && program.names.iter().any(|known| name == *known || (program.family && name.starts_with(known)))
    };
    PROGRAMS.iter().filter(is)
}
