#!/bin/bash
#
# package.sh [FOLDER]: builds the release and the Debian package, FOLDER/sync-service_VERSION_ARCHITECTURE.deb. Deletes FOLDER
# first (.build/package by default). The packaged files stay in FOLDER/root.
#
# The same binaries give the same package, byte for byte: all times in it are SOURCE_DATE_EPOCH, by default the time of
# the last commit.

set -euo pipefail
umask 022
cd -- "$(dirname -- "$0")/.."

export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export LC_ALL=C.UTF-8 TZ=UTC
readonly out=${1:-.build/package} built=.build/release
readonly root=$out/root
version=$(<VERSION)
architecture=$(dpkg --print-architecture)
readonly version architecture

scripts/build-release.sh

rm -rf -- "$out"
place() { install -D -m "$1" -- "$2" "$root/$3"; }
filled() {
    sed -e "s/@VERSION@/$version/; s/@ARCHITECTURE@/$architecture/; s/@DATE@/$(date -d "@$SOURCE_DATE_EPOCH" +%F)/" \
        -e "s/@TIME@/$(date -d "@$SOURCE_DATE_EPOCH" -R)/" -- "$1"
}

for program in sync-service sync-runner; do
    place 755 "$built/$program" "usr/bin/$program"
    strip --strip-unneeded --remove-section=.comment -- "$root/usr/bin/$program"
    # The compiler writes a hash into this section. Two builds of one commit differ in it, and nothing reads it, so it becomes
    # zeros. Removing the section would also remove RELRO, which protects the program's tables.
    objcopy --dump-section ".swift_modhash=$out/hash" -- "$root/usr/bin/$program"
    head -c "$(stat -c %s "$out/hash")" /dev/zero >"$out/zeros"
    objcopy --update-section ".swift_modhash=$out/zeros" -- "$root/usr/bin/$program"
    mkdir -p -- "$root/usr/share/man/man8"
    filled "packaging/$program.8" | gzip -9n >"$root/usr/share/man/man8/$program.8.gz"
done
for unit in sync-service.service sync-service-run.service sync-service-run.timer sync-runner.service sync-runner.socket; do
    place 644 "config/$unit" "lib/systemd/system/$unit"
done
place 644 packaging/sysusers.conf usr/lib/sysusers.d/sync-service.conf
place 644 packaging/tmpfiles.conf usr/lib/tmpfiles.d/sync-service.conf
place 644 packaging/logrotate etc/logrotate.d/sync-service
for settings in service.env script.env; do
    place 644 "packaging/$settings" "etc/sync-service/$settings"
done
for script in sync_sqlite.sh sync_fkk_db.sh; do
    place 755 "config/$script" "usr/share/sync-service/scripts/$script"
done
for example in sync_fkk_db.conf.example sync_fkk_db.cnf.example; do
    place 644 "config/$example" "usr/share/sync-service/scripts/$example"
done
readonly documents=usr/share/doc/sync-service
place 644 packaging/copyright "$documents/copyright"
filled packaging/changelog | gzip -9n >"$root/$documents/changelog.gz"
for document in docs/OPERATIONS.md docs/MIGRATION.md security/HARDENING.md; do
    place 644 "$document" "$documents/${document##*/}"
done
place 755 scripts/hardening-check.sh "usr/share/sync-service/hardening-check"
place 644 config/env.example "$documents/examples/env.example"
place 644 config/nginx.conf.example "$documents/examples/nginx.conf"
place 644 config/nginx-old-front-end.conf.example "$documents/examples/nginx-old-front-end.conf"
place 644 config/sync-runner.service.d/paths.conf.example "$documents/examples/paths.conf.example"

# dpkg-shlibdeps finds the packages of the binaries' libraries. It runs only in the folder of a source package.
mkdir -p -- "$out/source/debian" "$root/DEBIAN"
printf 'Source: sync-service\n\nPackage: sync-service\nArchitecture: any\n' >"$out/source/debian/control"
libraries=$(cd -- "$out/source" && dpkg-shlibdeps -O ../root/usr/bin/sync-service ../root/usr/bin/sync-runner)
filled packaging/control |
    sed -e "s/@SHLIBS@/${libraries#shlibs:Depends=}/; s/@SIZE@/$(du -k -s --apparent-size -- "$root" | cut -f 1)/" \
        >"$root/DEBIAN/control"
for script in postinst prerm postrm; do
    place 755 "packaging/$script" "DEBIAN/$script"
done
printf '/%s\n' etc/logrotate.d/sync-service etc/sync-service/script.env etc/sync-service/service.env >"$root/DEBIAN/conffiles"
(cd -- "$root" && find usr lib -type f | sort | xargs md5sum >DEBIAN/md5sums)

dpkg-deb --root-owner-group -Zxz --build "$root" "$out/sync-service_${version}_$architecture.deb" >/dev/null
printf '%s\n' "$out/sync-service_${version}_$architecture.deb"
