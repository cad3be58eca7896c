# find_package(pointsman-cpp): pointsman::module-cpp for a router's sources, pointsman::testing-cpp for its tests. The
# project has the languages C and CXX.

get_filename_component(POINTSMAN_CPP_SDK "${CMAKE_CURRENT_LIST_DIR}/../../../share/pointsman/cpp" ABSOLUTE)

if(NOT TARGET pointsman::module-cpp)
  add_library(pointsman::module-cpp INTERFACE IMPORTED)
  target_compile_features(pointsman::module-cpp INTERFACE cxx_std_20)
  target_include_directories(pointsman::module-cpp INTERFACE "${POINTSMAN_CPP_SDK}")
  target_sources(pointsman::module-cpp INTERFACE "${POINTSMAN_CPP_SDK}/runtime.cpp" "${POINTSMAN_CPP_SDK}/c/module.c")
  add_library(pointsman::testing-cpp INTERFACE IMPORTED)
  target_link_libraries(pointsman::testing-cpp INTERFACE pointsman::module-cpp)
  target_sources(pointsman::testing-cpp INTERFACE "${POINTSMAN_CPP_SDK}/c/testing.c")
endif()
