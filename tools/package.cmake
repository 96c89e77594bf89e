# The four Debian packages that `cpack -G DEB` makes of a build, each a component of what is installed; tools/package
# does it all.
set(CPACK_PACKAGE_NAME dunlin)
set(CPACK_PACKAGE_CONTACT "The dunlin authors <dunlin@example.org>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL program library dev python)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_PROJECT_CONFIG_FILE ${PROJECT_SOURCE_DIR}/tools/package_depends.cmake)
set(CPACK_DUN_LIBRARY ${PROJECT_BINARY_DIR}/libdunlin.so.${PROJECT_VERSION})
set(control_folder ${PROJECT_BINARY_DIR}/control)
set(about "A few trained rows, run after a text by a frozen language model, make its
raw output sort texts into classes around centroids. It needs an OpenCL
driver, for a CPU or for a GPU, and a model file in the GGUF format.
")

# dun_deb(COMPONENT NAME SECTION DESCRIPTION): a package; what else it says is set below by the names CPack has.
# Copyright and changelog belong to each of them; an installation without packages has those of the program.
set(only_packed)
macro(dun_deb component name section description)
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${upper}_PACKAGE_SECTION ${section})
  set(CPACK_DEBIAN_${upper}_DESCRIPTION "${description}")
  set(doc_folder ${CMAKE_INSTALL_DATADIR}/doc/${name})
  install(FILES LICENSE DESTINATION ${doc_folder} RENAME copyright COMPONENT ${component} ${only_packed})
  if(changelog)
    install(FILES ${changelog}.gz DESTINATION ${doc_folder} COMPONENT ${component} ${only_packed})
  endif()
endmacro()

# Debian wants a changelog of its own form.
execute_process(COMMAND ${CMAKE_COMMAND} -E env LC_ALL=C date -u -R -d ${released} OUTPUT_VARIABLE date
                OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE date_failed)
if(GZIP AND NOT date_failed)
  set(changelog ${PROJECT_BINARY_DIR}/help/changelog)
  file(WRITE ${changelog} "dunlin (${PROJECT_VERSION}) unstable; urgency=medium\n\n"
       "  * What changes is told in CHANGELOG.md.\n\n -- ${CPACK_PACKAGE_CONTACT}  ${date}\n")
  execute_process(COMMAND ${GZIP} -9nf ${changelog})
endif()

# OpenCL is loaded when it is first needed, so that no list of libraries has it.
set(opencl "ocl-icd-libopencl1 | libopencl1")
set(driver "pocl-opencl-icd | opencl-icd, libclblast1")

dun_deb(program dunlin science "train soft prompts on a frozen language model with OpenCL
${about}The program trains such prompts from labelled texts, classifies with them
line by line or over HTTP, and reports what a run has reached; no CUDA, ROCm
or Python.")
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAM_PACKAGE_DEPENDS ${opencl})
set(CPACK_DEBIAN_PROGRAM_PACKAGE_RECOMMENDS ${driver})
set(CPACK_DEBIAN_PROGRAM_PACKAGE_SUGGESTS "clinfo, python3-pip")

set(only_packed EXCLUDE_FROM_ALL)

# Its libraries are asked for in package_depends.cmake: CPack would add scripts that call ldconfig, where Debian has a
# trigger.
dun_deb(library libdunlin0 libs "soft prompts on a frozen language model (shared library)
${about}This is the library, for programs that train and classify. The package
dunlin brings the program that tries for it what a driver may not survive.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_RECOMMENDS "dunlin, ${driver}")
set(CPACK_DUN_LIBRARY_DEPENDS ${opencl})
file(WRITE ${control_folder}/library/shlibs "libdunlin 0 libdunlin0 (>= ${PROJECT_VERSION})\n")
file(WRITE ${control_folder}/library/triggers "activate-noawait ldconfig\n")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${control_folder}/library/shlibs ${control_folder}/library/triggers)

set(same "libdunlin0 (= ${PROJECT_VERSION})")
dun_deb(dev libdunlin-dev libdevel "soft prompts on a frozen language model (development files)
${about}This is what building a program with libdunlin takes: the header, the
static library, files for pkg-config and CMake, and examples.")
set(CPACK_DEBIAN_DEV_PACKAGE_DEPENDS
    "${same}, libinih-dev, libjansson-dev, libpcre2-dev, libutf8proc-dev, zlib1g-dev")

dun_deb(python python3-dunlin python "soft prompts on a frozen language model (Python 3)
${about}This is the Python package: a classifier in the manner of scikit-learn,
trainings, and features of texts.")
set(CPACK_DEBIAN_PYTHON_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PYTHON_PACKAGE_DEPENDS "python3 (>= 3.9), python3-numpy, ${same}")
set(CPACK_DEBIAN_PYTHON_PACKAGE_SUGGESTS "dunlin, python3-sklearn")
foreach(script postinst prerm)
  string(REPLACE "postinst" "py3compile" tool ${script})
  string(REPLACE "prerm" "py3clean" tool ${tool})
  file(WRITE ${control_folder}/python/${script} "#!/bin/sh\nset -e\nif command -v ${tool} >/dev/null 2>&1; then\n"
       "    ${tool} -p python3-dunlin\nfi\n")
  file(CHMOD ${control_folder}/python/${script} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ
       GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
endforeach()
set(CPACK_DEBIAN_PYTHON_PACKAGE_CONTROL_EXTRA ${control_folder}/python/postinst ${control_folder}/python/prerm)
set(CPACK_DEBIAN_PYTHON_PACKAGE_CONTROL_STRICT_PERMISSION ON)

# What tools/wheel puts into a wheel, without the libraries and the program.
set(python_folder lib/python3/dist-packages)
file(WRITE ${control_folder}/_version.py "\"\"\"Written by the build.\"\"\"\n\n__version__ = \"${PROJECT_VERSION}\"\n")
configure_file(python/METADATA.in ${control_folder}/METADATA @ONLY)
install(DIRECTORY python/dunlin DESTINATION ${python_folder} COMPONENT python EXCLUDE_FROM_ALL
        PATTERN __pycache__ EXCLUDE PATTERN lib EXCLUDE)
install(FILES ${control_folder}/_version.py DESTINATION ${python_folder}/dunlin COMPONENT python EXCLUDE_FROM_ALL)
install(FILES ${control_folder}/METADATA DESTINATION ${python_folder}/dunlin-${PROJECT_VERSION}.dist-info
        COMPONENT python EXCLUDE_FROM_ALL)
install(DIRECTORY python/examples DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/python3-dunlin
        COMPONENT python EXCLUDE_FROM_ALL)
include(CPack)
