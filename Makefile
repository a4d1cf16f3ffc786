# Countersign: what a person types. `make demo` to watch it work, `make test` to prove it, `make install` to have it.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

DESTDIR ?=
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
RELEASE := $(TARGET)/release

# Debian 12: what building, testing and the demonstration need besides Rust.
PACKAGES := build-essential dbus dbus-bin polkitd pkexec systemd systemd-container util-linux procps \
            gettext sudo opendoas attr iproute2 nftables lsof e2fsprogs jq man-db libxml2-utils openssl python3 python3-cryptography strace
DENY_VERSION := 0.20.2

BINARIES := countersignd countersign-launcher countersign countersign-anchor

.PHONY: build lacking deb package rpm setup deny-tool test check demo install uninstall clean fuzz bench

build:
	$(CARGO) build --release --locked $(addprefix --bin ,$(BINARIES))

# A launcher to which layers of the sandbox can be said to be missing, for tests alone. It is never installed.
lacking:
	$(CARGO) build --locked --profile lacking --package countersign-launcher --features missing-layers

# Installs every Debian package that the other targets need; asks nothing; does nothing if all are there.
setup:
	@missing=$$(for p in $(PACKAGES); do dpkg-query -W -f='$${db:Status-Status}' $$p 2>/dev/null | grep -qx installed || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	  export DEBIAN_FRONTEND=noninteractive; \
	  apt-get update -qq; \
	  apt-get install -y -qq --no-install-recommends $$missing; \
	fi

deny-tool:
	@$(CARGO) deny --version 2>/dev/null | grep -qx 'cargo-deny $(DENY_VERSION)' || $(CARGO) install cargo-deny --locked --version $(DENY_VERSION)

# Everything: units and properties, promises on booted machines, and the fuzz targets for a minute in all. As root: the
# machines are real.
test: setup build lacking
	COUNTERSIGN_BINARIES=$(abspath $(RELEASE)) COUNTERSIGN_LACKING=$(abspath $(TARGET))/lacking/countersign-launcher \
	  $(CARGO) test --workspace --locked
	fuzz/run 12

# For long; FUZZ_SECONDS for each target.
FUZZ_SECONDS ?= 3600
fuzz: setup
	fuzz/run $(FUZZ_SECONDS)

# How long classifying takes, with its limits; a million random commands against the classifier's laws; and ten gibibytes of
# output through the broker on a booted machine, beside sha256sum over a pipe; and what confining costs.
bench: setup build
	COUNTERSIGN_BINARIES=$(abspath $(RELEASE)) $(CARGO) bench --locked --package benches

check: setup deny-tool
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	$(CARGO) clippy --package countersign-launcher --features missing-layers --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' $(CARGO) doc --workspace --no-deps --locked --document-private-items
	$(CARGO) deny --locked check licenses bans sources
	xmllint --noout dbus/*.conf dbus/*.xml polkit/*.policy
	for page in docs/man/*.[1-8]; do test -z "$$(man --warnings -E UTF-8 -l -Tutf8 -Z $$page 2>&1 >/dev/null)" || { man --warnings -l -Tutf8 -Z $$page >/dev/null; exit 1; }; done

demo: setup build
	COUNTERSIGN_BINARIES=$(abspath $(RELEASE)) $(CARGO) run --quiet --release --locked --package promises --example demo

install:
	install -D -m 755 $(RELEASE)/countersign $(DESTDIR)/usr/bin/countersign
	install -D -m 755 $(RELEASE)/countersignd $(DESTDIR)/usr/libexec/countersign/countersignd
	install -D -m 755 $(RELEASE)/countersign-launcher $(DESTDIR)/usr/libexec/countersign/countersign-launcher
	install -D -m 755 $(RELEASE)/countersign-anchor $(DESTDIR)/usr/libexec/countersign/countersign-anchor
	install -D -m 755 systemd/countersign-after-stop $(DESTDIR)/usr/libexec/countersign/countersign-after-stop
	install -D -m 644 systemd/countersignd.service $(DESTDIR)/usr/lib/systemd/system/countersignd.service
	install -m 644 systemd/countersign-anchor.service systemd/countersign-anchor.timer $(DESTDIR)/usr/lib/systemd/system/
	ln -sfn countersignd.service $(DESTDIR)/usr/lib/systemd/system/dbus-org.countersign.Broker1.service
	install -D -m 755 systemd/countersign-latch-generator $(DESTDIR)/usr/lib/systemd/system-generators/countersign-latch-generator
	install -D -m 644 systemd/countersign.sysusers $(DESTDIR)/usr/lib/sysusers.d/countersign.conf
	install -D -m 644 systemd/countersign.tmpfiles $(DESTDIR)/usr/lib/tmpfiles.d/countersign.conf
	install -D -m 644 systemd/countersign.catalog $(DESTDIR)/usr/lib/systemd/catalog/countersign.catalog
	install -D -m 644 dbus/org.countersign.Broker1.conf $(DESTDIR)/usr/share/dbus-1/system.d/org.countersign.Broker1.conf
	install -D -m 644 dbus/org.countersign.Broker1.service $(DESTDIR)/usr/share/dbus-1/system-services/org.countersign.Broker1.service
	install -d $(DESTDIR)/usr/share/dbus-1/interfaces
	install -m 644 dbus/*.xml $(DESTDIR)/usr/share/dbus-1/interfaces/
	install -D -m 644 polkit/org.countersign.policy $(DESTDIR)/usr/share/polkit-1/actions/org.countersign.policy
	for po in po/*.po; do to=$(DESTDIR)/usr/share/locale/$$(basename $$po .po)/LC_MESSAGES; install -d $$to && msgfmt --output-file=$$to/countersign.mo $$po && chmod 644 $$to/countersign.mo; done
	install -d $(DESTDIR)/usr/share/countersign/rules $(DESTDIR)/usr/share/countersign/profiles $(DESTDIR)/usr/share/countersign/grants.d
	install -m 644 policy/rules/*.toml $(DESTDIR)/usr/share/countersign/rules/
	install -m 644 policy/profiles/*.toml $(DESTDIR)/usr/share/countersign/profiles/
	install -m 644 policy/grants.d/*.toml $(DESTDIR)/usr/share/countersign/grants.d/
	install -d $(DESTDIR)/etc/countersign/countersign.toml.d $(DESTDIR)/etc/countersign/grants.d $(DESTDIR)/etc/countersign/rules.d $(DESTDIR)/etc/countersign/profiles.d
	test -e $(DESTDIR)/etc/countersign/countersign.toml || install -m 644 policy/countersign.toml $(DESTDIR)/etc/countersign/countersign.toml
	install -d $(DESTDIR)/usr/share/man/man1 $(DESTDIR)/usr/share/man/man5 $(DESTDIR)/usr/share/man/man8
	install -m 644 docs/man/*.1 $(DESTDIR)/usr/share/man/man1/
	install -m 644 docs/man/*.5 $(DESTDIR)/usr/share/man/man5/
	install -m 644 docs/man/*.8 $(DESTDIR)/usr/share/man/man8/
	@echo "Installed. Next, as root on the machine itself: systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload && systemctl reload dbus && journalctl --update-catalog"

# A Debian package of what `make install` lays down, in the build directory.
VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
STAGE = $(TARGET)/deb/countersign
PACKAGES_TO = $(TARGET)
deb: build package

# The same of what is built already.
package:
	rm -rf $(STAGE)
	$(MAKE) --silent install DESTDIR=$(STAGE)
	install -D -m 644 packaging/deb/conffiles $(STAGE)/DEBIAN/conffiles
	install -m 755 packaging/deb/preinst packaging/deb/postinst packaging/deb/prerm packaging/deb/postrm $(STAGE)/DEBIAN/
	sed -e 's/@VERSION@/$(VERSION)/' -e "s/@ARCH@/$$(dpkg --print-architecture)/" packaging/deb/control.in > $(STAGE)/DEBIAN/control
	dpkg-deb --root-owner-group --build $(STAGE) $(PACKAGES_TO)/

# Needs rpmbuild.
rpm: build
	rpmbuild -bb --define "_topdir $(abspath $(TARGET))/rpm" --define "countersign_version $(VERSION)" \
	  --define "countersign_checkout $(CURDIR)" packaging/rpm/countersign.spec

# Configuration, state and the log stay.
uninstall:
	rm -f $(DESTDIR)/usr/bin/countersign
	rm -rf $(DESTDIR)/usr/libexec/countersign $(DESTDIR)/usr/share/countersign
	rm -f $(DESTDIR)/usr/lib/systemd/system/countersign-anchor.service $(DESTDIR)/usr/lib/systemd/system/countersign-anchor.timer
	rm -f $(DESTDIR)/usr/lib/systemd/system/countersignd.service $(DESTDIR)/usr/lib/systemd/system/dbus-org.countersign.Broker1.service
	rm -f $(DESTDIR)/usr/lib/systemd/system-generators/countersign-latch-generator
	rm -f $(DESTDIR)/usr/lib/sysusers.d/countersign.conf $(DESTDIR)/usr/lib/tmpfiles.d/countersign.conf
	rm -f $(DESTDIR)/usr/lib/systemd/catalog/countersign.catalog
	rm -f $(DESTDIR)/usr/share/dbus-1/system.d/org.countersign.Broker1.conf $(DESTDIR)/usr/share/dbus-1/system-services/org.countersign.Broker1.service
	rm -f $(DESTDIR)/usr/share/dbus-1/interfaces/org.countersign.Broker1*.xml $(DESTDIR)/usr/share/polkit-1/actions/org.countersign.policy
	rm -f $(DESTDIR)/usr/share/locale/*/LC_MESSAGES/countersign.mo
	rm -f $(DESTDIR)/usr/share/man/man1/countersign.1 $(DESTDIR)/usr/share/man/man8/countersignd.8 $(DESTDIR)/usr/share/man/man5/countersign*.5

clean:
	$(CARGO) clean
